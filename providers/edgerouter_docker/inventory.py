"""Containers as frozen values, and how to see that one has changed.

``container_of`` reads an inspection, ``summary_of`` a row of the cheap list; a row
that says the same as what is remembered needs no inspection. Pure: the calls
to the engine are in ``engine.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgerouter.config.containers import Place
from edgerouter.config.labels import ROOTS

_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"

SILENT = "silent"
"""The health of a container without a check on whose port nothing listens yet."""
DEFAULT_STOP_TIMEOUT = 10
"""Seconds that the engine waits after the stop signal when the container does not say."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A container's place on one network."""

    network_id: str = ""
    ipv4: str = ""
    ipv6: str = ""

    @property
    def address(self) -> str:
        """The IPv4 address, else the global IPv6 address, else an empty text."""
        return self.ipv4 or self.ipv6


@dataclass(frozen=True, slots=True)
class Binding:
    """Where on the host a port is published."""

    host_ip: str
    host_port: str


@dataclass(frozen=True, slots=True)
class Container:
    """What the provider knows about one container."""

    id: str
    name: str
    """Without the leading slash."""
    status: str = "running"
    """``created running paused restarting removing exited dead``."""
    health: str = ""
    """``starting healthy unhealthy``, empty without a health check; ``SILENT``."""
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, Attachment] = field(default_factory=dict)
    network_mode: str = "default"
    published: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    """Ports as the engine's network settings list them (``80/tcp``), with their bindings."""
    exposed: frozenset[str] = frozenset()
    """Ports of the image's ``EXPOSE`` and of ``--expose``."""
    stop_signal: str = "SIGTERM"
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    started_at: str = ""
    created_at: str = ""
    """RFC 3339; orders containers by age."""
    is_unheeding: bool = False
    """It was told to end and goes on answering; the engine does not say so (``unheeding.py``)."""

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def is_ready(self) -> bool:
        """Tell whether the health check, if there is one, lets requests in."""
        return self.health in {"", "healthy"}

    @property
    def obstacle(self) -> str:
        """What keeps requests away from it; empty: nothing."""
        if not self.is_running:
            return f"it is {self.status}"
        if self.health == SILENT:
            return "nothing listens on its port yet"
        return "" if self.is_ready else f"its health check says {self.health}"

    @property
    def is_labelled(self) -> bool:
        """Tell whether its labels are about us."""
        return any(key.partition(".")[0] in ROOTS for key in self.labels)

    @property
    def place(self) -> Place:
        """What it is a replica of: the service of its Compose project, otherwise itself by name."""
        project, service = self.labels.get(_PROJECT, ""), self.labels.get(_SERVICE, "")
        return Place(project, service) if project and service else Place("", self.name)

    def __str__(self) -> str:
        return f"container {self.name}"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the list of containers says about one, enough to see a change."""

    id: str
    name: str
    status: str
    health: str
    networks: tuple[tuple[str, str], ...]


def container_of(data: Mapping[str, Any], *, podman: bool = False) -> Container:
    """Return the container of an answer to ``GET /containers/{id}/json``.

    Args:
        data: The decoded answer.
        podman: The engine is Podman, which reports an empty health check for every container.

    Raises:
        KeyError: The answer has no id or no name.
    """
    config = data.get("Config") or {}
    settings = data.get("NetworkSettings") or {}
    state = data.get("State") or {}
    timeout = config.get("StopTimeout")
    return Container(
        id=data["Id"],
        name=data["Name"].removeprefix("/"),
        status=_status(state),
        health=_health(state, podman),
        labels=_labels(config),
        networks=_networks(settings),
        network_mode=(data.get("HostConfig") or {}).get("NetworkMode") or "default",
        published=_published(settings),
        exposed=frozenset(config.get("ExposedPorts") or ()),
        stop_signal=config.get("StopSignal") or "SIGTERM",
        stop_timeout=DEFAULT_STOP_TIMEOUT if timeout is None else float(timeout),
        started_at=state.get("StartedAt") or "",
        created_at=data.get("Created") or "",
    )


def _status(state: Mapping[str, Any]) -> str:
    status: str = state.get("Status") or ("running" if state.get("Running") else "exited")
    return status


def _health(state: Mapping[str, Any], podman: bool) -> str:
    health = state.get("Health") or (state.get("Healthcheck") if podman else None) or {}
    status: str = health.get("Status") or ""
    return "" if status == "none" else status


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (config.get("Labels") or {}).items()}


def _networks(settings: Mapping[str, Any]) -> dict[str, Attachment]:
    return {
        name: Attachment(
            network_id=(data or {}).get("NetworkID") or "",
            ipv4=(data or {}).get("IPAddress") or "",
            ipv6=(data or {}).get("GlobalIPv6Address") or "",
        )
        for name, data in sorted((settings.get("Networks") or {}).items())
    }


def _published(settings: Mapping[str, Any]) -> dict[str, tuple[Binding, ...]]:
    return {
        port: tuple(Binding(b.get("HostIp") or "", b.get("HostPort") or "") for b in bindings or ())
        for port, bindings in (settings.get("Ports") or {}).items()
    }


def summary_of(row: Mapping[str, Any]) -> Summary:
    """Return what one row of ``GET /containers/json`` says.

    Raises:
        KeyError: The row has no id.
    """
    # A container that others link to has further names, such as /other/alias.
    names = [name.removeprefix("/") for name in row.get("Names") or ()]
    own = [name for name in names if "/" not in name] or names or [""]
    settings = row.get("NetworkSettings") or {}
    return Summary(
        id=row["Id"],
        name=own[0],
        status=str(row.get("State") or ""),
        health=_health_of_status(str(row.get("Status") or "")),
        networks=_network_key(_networks(settings)),
    )


def _health_of_status(text: str) -> str:
    """Return the health in a text such as ``Up 3 seconds (health: starting)``."""
    inside = text.rpartition("(")[2].removesuffix(")").removeprefix("health: ")
    return inside if inside in {"starting", "healthy", "unhealthy"} else ""


def _network_key(networks: Mapping[str, Attachment]) -> tuple[tuple[str, str], ...]:
    return tuple((name, attachment.address) for name, attachment in sorted(networks.items()))


def says_the_same(summary: Summary, container: Container) -> bool:
    """Tell whether a row of the list shows no change against what is remembered."""
    return (
        summary.name == container.name
        and summary.status == container.status
        and summary.health == container.health
        and summary.networks == _network_key(container.networks)
    )
