"""All containers into one configuration; translates again only what changed."""

import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from edgerouter.config.containers import merge_containers
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter_docker.inventory import Container
from edgerouter_docker.lingering import is_replaced, names_of
from edgerouter_docker.network import Surroundings
from edgerouter_docker.own_container import find_own
from edgerouter_docker.seniority import Seniority
from edgerouter_docker.servers import Endpoint
from edgerouter_docker.translate import Settings, Translated, translate

Answers = Mapping[str, frozenset[Endpoint]]

LOOPBACK = "127.0.0.1"
_HOST_NAMES = ("host.docker.internal", "host.containers.internal")


@dataclass(frozen=True, slots=True)
class Assembled:
    """What is published."""

    configuration: DynamicConfiguration
    diagnostics: tuple[Diagnostic, ...]


class Assembler:
    """Translates and merges containers, and remembers which servers are whose."""

    def __init__(
        self, settings: Settings, *, own_ids: Iterable[str] = (), host_address: str = LOOPBACK
    ) -> None:
        self._settings = settings
        self._own_ids = tuple(own_ids)
        self._host_address = host_address
        self._surroundings = Surroundings()
        self._translated: dict[str, _Known] = {}
        self._moves = 0
        """How often the router has been seen to stand elsewhere than before."""
        self._previews: dict[str, _Known] = {}
        """Translations that were made since the newest configuration."""
        self._seniority = Seniority()
        self._rivals: dict[str, frozenset[str]] = {}
        """By container that has gone: who was there beside it while it lived."""

    @property
    def servers(self) -> Mapping[str, frozenset[str]]:
        """The server URLs of each container, by id, in the newest configuration."""
        return {i: known.translated.urls for i, known in self._translated.items()}

    def urls_of(self, container_id: str) -> frozenset[str]:
        known = self._translated.get(container_id)
        return known.translated.urls if known is not None else frozenset()

    def look_around(self, containers: Mapping[str, Container]) -> None:
        """See where the router stands; what was translated elsewhere does not count any more."""
        own = find_own(self._own_ids, containers.values())
        surroundings = Surroundings(
            own_networks=_networks_of(own, containers),
            host_address=self._host_address,
            own_id=own.id if own is not None else "",
            find=lambda container_id: _find(container_id, containers),
        )
        if replace(surroundings, find=self._surroundings.find) != self._surroundings:
            self._moves += 1
        self._surroundings = surroundings

    def preview(self, container: Container, answering: Answers) -> Translated:
        """Return what a container would say if it counted just as it is."""
        known = self._previews[container.id] = self._translate(container, answering)
        return known.translated

    def assemble(
        self,
        containers: Mapping[str, Container],
        gone: Collection[Container] = (),
        answering: Answers = MappingProxyType({}),
    ) -> Assembled:
        """Return the configuration of all containers.

        Args:
            containers: Those that exist, by id.
            gone: Those that have just gone.
            answering: Which ports and addresses are known to answer, by id.
        """
        before = frozenset(i for i, k in self._translated.items() if k.translated.configuration)
        self.look_around(containers)
        self._translated = {c.id: self._translate(c, answering) for c in containers.values()}
        self._previews.clear()
        said = {
            i: known.translated.configuration
            for i, known in self._translated.items()
            if known.translated.configuration
        }
        said |= self._left_over(gone, containers, before)
        everyone = {c.id: c for c in (*gone, *containers.values())}
        by_age = self._seniority.sorted(everyone.values())
        configuration, found = merge_containers(
            [(c.place, said[c.id]) for c in by_age if c.id in said],
            provider=self._settings.provider,
            compat=self._settings.options.compat,
        )
        parts = list(self._translated.values())
        diagnostics = [d for known in parts for d in known.translated.diagnostics]
        return Assembled(_without_unserved(configuration, parts), (*diagnostics, *found))

    def _left_over(
        self,
        gone: Collection[Container],
        containers: Mapping[str, Container],
        before: frozenset[str],
    ) -> dict[str, DynamicConfiguration]:
        """Return what stays of containers whose place nobody has taken.

        Whoever comes later takes the names; who was there ``before`` it left has had to wait for
        them, and does so until it is sure that the container does not come back.
        """
        left = {}
        rivals = {c.id: self._rivals.get(c.id, before) for c in gone}
        self._rivals = rivals
        for container in gone:
            own = self._translated.get(container.id)
            is_shown = own is not None and own.translated.configuration is not None
            if is_shown or is_replaced(container, containers.values()):
                continue
            found = translate(container, self._settings, self._surroundings).configuration
            names = {
                name
                for i, other in self._translated.items()
                if i not in rivals[container.id]
                for name in names_of(other.translated.configuration)
            }
            if found is not None and not names & names_of(found):
                left[container.id] = found
        return left

    def _translate(self, container: Container, answering: Answers) -> "_Known":
        answers = answering.get(container.id, frozenset())
        # The address of a container in another's network changes with the other.
        if not container.network_mode.startswith("container:"):
            for memory in (self._translated, self._previews):
                known = memory.get(container.id)
                if known and known[:3] == (self._moves, container, answers):
                    return known
        translated = translate(container, self._settings, self._surroundings, answers)
        return _Known(self._moves, container, answers, translated)


class _Known(NamedTuple):
    """A container as it was when it was translated."""

    moves: int
    container: Container
    answering: frozenset[Endpoint]
    translated: Translated


def _find(reference: str, containers: Mapping[str, Container]) -> Container | None:
    """Return a container by its id, or by its name as Compose files write it."""
    found = containers.get(reference)
    if found is not None:
        return found
    return next((c for c in containers.values() if c.name == reference), None)


def _networks_of(
    own: Container | None, containers: Mapping[str, Container]
) -> Mapping[str, str] | None:
    """Return the router's networks, or None when it reaches all of them."""
    if own is None or own.network_mode == "host":
        return None
    if own.network_mode.startswith("container:"):
        other = _find(own.network_mode.removeprefix("container:"), containers)
        return None if other is own else _networks_of(other, containers)
    return {name: attachment.network_id for name, attachment in own.networks.items()}


def _without_unserved(
    configuration: DynamicConfiguration, parts: Iterable[_Known]
) -> DynamicConfiguration:
    """Disable the services that no container could give a server, with the reasons."""
    errors = {element: list(texts) for element, texts in configuration.errors.items()}
    for known in parts:
        for element in known.translated.unserved:
            sources = configuration.sources.get(element, "").split(", ")
            if str(known.container) in sources and not _has_servers(configuration, element):
                errors.setdefault(element, []).extend(
                    str(d) for d in known.translated.diagnostics if d.element == element
                )
    return configuration.model_copy(update={"errors": errors})


def _has_servers(configuration: DynamicConfiguration, element: str) -> bool:
    section, _, name = element.split(".", 2)
    service = getattr(configuration, section).services.get(name)
    balancer = service.load_balancer if service is not None else None
    return balancer is not None and bool(balancer.servers)


def host_address(*, is_inside: bool) -> str:
    """Return where containers in the host's network are reached; asks the resolver, so it blocks.

    Args:
        is_inside: The router runs in a container.
    """
    for name in _HOST_NAMES if is_inside else ():
        try:
            return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError:
            continue
    return LOOPBACK
