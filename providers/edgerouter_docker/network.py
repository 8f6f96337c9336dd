"""Which address and port of a container requests go to, and which rule decides.

Pure. Networks: the label, then the provider's ``network``, then one that the router's own
container is on, by name, then one by which the container answers. Ports: the label, then the only
exposed TCP port, then a well-known one, then one that answers. With ``compat=traefik``: the first
network by name and the lowest port of any protocol.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from edgerouter.config.types import suggestion
from edgerouter_docker.inventory import Attachment, Binding, Container

WELL_KNOWN_PORTS = (80, 8080, 3000, 8000, 5000)
"""Where HTTP servers listen, most likely first."""
_UNSPECIFIED = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to.


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and why."""

    value: str
    note: str
    """``web: shared with the router``: value and rule, for the API."""
    warning: str = ""
    answering: str = ""
    """The note when it is chosen because it answers, and others may not."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What can be chosen, the best first. Of several, the first that answers is."""

    choices: tuple[Choice, ...]
    refusal: str = ""
    """Why there is none to choose when nothing answers; empty: then it is the first."""


class NoChoice(Exception):
    """Nothing fits; the message names what is missing and the remedy."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the router itself stands."""

    own_networks: Mapping[str, str] | None = None
    """Network ids of the router's own container by name; None when it reaches every network
    (outside a container, or in the host's network)."""
    host_address: str = "127.0.0.1"
    """Where a container in host mode is reached."""
    own_id: str = ""
    """The router's own container, if it runs in one."""
    find: Callable[[str], Container | None] = field(default=lambda _id: None)
    """Returns a container by its id, for ``network_mode: container:<id>``."""


def addresses_of(
    container: Container,
    surroundings: Surroundings,
    *,
    label: str = "",
    network: str = "",
    compat: bool = False,
) -> Candidates:
    """Return the addresses of a container.

    Args:
        container: Whose address.
        surroundings: Where the router stands.
        label: The container's ``traefik.docker.network``.
        network: The provider's ``network``.
        compat: Choose as Traefik does.

    Raises:
        NoChoice: No address fits.
    """
    if container.network_mode == "host":
        note = "host: the container is in the host's network"
        return Candidates((Choice(surroundings.host_address, note),))
    warning = ""
    for name, origin in ((label, "docker.network label"), (network, "providers.docker.network")):
        if not name:
            continue
        attachment = container.networks.get(name)
        if attachment is not None and attachment.address:
            return Candidates((Choice(attachment.address, f"{name}: {origin}", warning),))
        if not container.network_mode.startswith("container:"):
            warning = warning or _missing(container, name, origin)
    if container.network_mode.startswith("container:"):
        return _of_other_container(container, surroundings, label, network, compat)
    return _reachable(container, surroundings, warning, compat)


def _missing(container: Container, name: str, origin: str) -> str:
    names = list(container.networks)
    prefixed = next((n for n in names if n.endswith(f"_{name}")), "")
    hint = f'; did you mean "{prefixed}"?' if prefixed else suggestion(name, names)
    return (
        f'the network "{name}" of the {origin} is not one of the container\'s'
        f" ({_listed(names)}){hint}"
    )


def _of_other_container(
    container: Container, surroundings: Surroundings, label: str, network: str, compat: bool
) -> Candidates:
    other_id = container.network_mode.removeprefix("container:")
    other = surroundings.find(other_id)
    if other is None:
        raise NoChoice(
            f"it shares the network of container {other_id[:12]}, which does not exist; start that"
            " container, then re-create this one"
        )
    if other.network_mode.startswith("container:"):
        raise NoChoice(f"it shares the network of {other}, which has none of its own")
    wanted = container_label(other.labels, "docker.network") or label
    found = addresses_of(other, surroundings, label=wanted, network=network, compat=compat)
    choices = (replace(each, note=f"{each.note} (of {other})") for each in found.choices)
    return replace(found, choices=tuple(choices))


def _reachable(
    container: Container, surroundings: Surroundings, warning: str, compat: bool
) -> Candidates:
    usable = {n: a for n, a in container.networks.items() if a.address}
    if not usable:
        reason = "" if warning == "" else f"{warning}, and "
        raise NoChoice(
            f"{reason}it has no address on any network ({_listed(container.networks)});"
            " attach it to a network that the router is on"
        )
    own = surroundings.own_networks
    shared = {n: a for n, a in usable.items() if own is not None and _is_shared(n, a, own)}
    if shared:
        return Candidates(_by_name(shared, "shared with the router", warning)[:1])
    choices = _by_name(usable, "the first of the container's networks by name", warning)
    if compat:
        return Candidates(choices[:1])
    if own is None:
        return Candidates(choices)
    reason = "" if warning == "" else f"{warning}, and "
    return Candidates(
        choices,
        f"{reason}it shares no network with the router, and answers by none: it is on"
        f" {_listed(usable)}, the router is on {_listed(own)}; attach it to one of the router's, or"
        " name a network that can be reached by routing with the label traefik.docker.network",
    )


def _is_shared(name: str, attachment: Attachment, own: Mapping[str, str]) -> bool:
    return attachment.network_id in own.values() if attachment.network_id else name in own


def _by_name(networks: Mapping[str, Attachment], rule: str, warning: str) -> tuple[Choice, ...]:
    answering = "the first of the container's networks by which it answers"
    return tuple(
        Choice(networks[name].address, f"{name}: {rule}", warning, f"{name}: {answering}")
        for name in sorted(networks)
    )


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"


def ports_of(
    container: Container,
    *,
    label: str = "",
    protocol: str = "tcp",
    compat: bool = False,
    is_wanted: bool = True,
) -> Candidates:
    """Return the ports of a container.

    Args:
        container: Whose ports.
        label: What ``loadbalancer.server.port`` says.
        protocol: ``tcp`` or ``udp``.
        compat: Choose the lowest of all, as Traefik does.
        is_wanted: Somebody has asked for a route, so a port that is not exposed may be meant.

    Raises:
        NoChoice: None is given and none is exposed.
    """
    if label:
        return Candidates((_port_of_label(label, compat),))
    if compat:
        every = _numbers(container.published, "")
        if not every:
            raise NoChoice("port is missing")
        return Candidates((Choice(str(every[0]), f"{every[0]}: the lowest exposed port"),))
    ports = _numbers([*container.published, *container.exposed], protocol)
    if ports:
        return _of_exposed(ports, protocol)
    missing = (
        f"port is missing: the container exposes no {protocol.upper()} port and no label names one"
    )
    if protocol != "tcp" or not is_wanted:
        raise NoChoice(f"{missing}; set the label {{label}}")
    well_known = ", ".join(map(str, WELL_KNOWN_PORTS))
    return Candidates(
        tuple(_unexposed(port) for port in WELL_KNOWN_PORTS),
        f"{missing}, and nothing answers on {well_known}; set the label {{label}}",
    )


def _port_of_label(label: str, compat: bool) -> Choice:
    is_port = label.isascii() and label.isdigit() and 0 < int(label) < 65536
    if not is_port and not compat:
        raise NoChoice(f'"{label}" is not a port: expected a number from 1 to 65535 in {{label}}')
    return Choice(label, f"{label}: server.port label")


def _unexposed(port: int) -> Choice:
    warning = (
        f"the container exposes no TCP port; {port} was taken, because something answers there, set"
        " the label {label} to be sure"
    )
    note = f"{port}: the first well-known HTTP port that answers, none is exposed"
    return Choice(str(port), note, warning, note)


def _of_exposed(ports: list[int], protocol: str) -> Candidates:
    kind = protocol.upper()
    if len(ports) == 1:
        return Candidates((Choice(str(ports[0]), f"{ports[0]}: the only exposed {kind} port"),))
    known = next((p for p in WELL_KNOWN_PORTS if p in ports), None) if protocol == "tcp" else None
    if known is not None:
        note = f"{known}: the first well-known HTTP port of those exposed"
        return Candidates((Choice(str(known), note),))
    shown = ", ".join(map(str, ports))
    warning = (
        f"the container exposes several {kind} ports ({shown}); {{port}} was taken, set the label"
        " {label} to be sure"
    )
    choices = tuple(
        Choice(
            str(port),
            f"{port}: the lowest exposed {kind} port",
            warning.replace("{port}", str(port)),
            f"{port}: the first of the exposed {kind} ports that answers",
        )
        for port in ports
    )
    return Candidates(choices if protocol == "tcp" else choices[:1])


def _numbers(ports: Mapping[str, object] | list[str], protocol: str) -> list[int]:
    numbers = set()
    for port in ports:
        number, _, kind = port.partition("/")
        if number.isdigit() and protocol in {"", kind or "tcp"}:
            numbers.add(int(number))
    return sorted(numbers)


def find_binding(container: Container, port: str, protocol: str) -> Binding | None:
    """Return where ``port`` is published at a definite host address, or None."""
    for binding in container.published.get(f"{port}/{protocol}", ()):
        if binding.host_ip not in _UNSPECIFIED:
            return binding
    return None


def container_label(labels: Mapping[str, str], name: str) -> str:
    """Return the label ``edgerouter.<name>`` or else ``traefik.<name>``, empty without either."""
    return find_label(labels, name)[1]


def find_label(labels: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return such a label with its key, whose name may be in any case; two empty texts: none."""
    for root in ("edgerouter.", "traefik."):
        for key, value in labels.items():
            if key.startswith(root) and key[len(root) :].lower() == name:
                return key, value
    return "", ""
