"""The runtime view: every element with what became of it.

The API shows it, ``snapshot.py`` turns the enabled part into what workers serve.
Names are qualified throughout.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from edgerouter.config.diagnostics import Diagnostic, Severity
from edgerouter.config.dynamic import TLSConfiguration
from edgerouter.config.dynamic.http import RouterObservability, RouterTLS, ServersTransport
from edgerouter.config.types import did_you_mean

MAX_CANDIDATES = 1000
"""How many names are looked at for a suggestion; comparing is slow."""

Status = Literal["enabled", "warning", "disabled"]


@dataclass(slots=True)
class ElementInfo:
    """One element: its configuration and what is known of it."""

    name: str
    """Qualified, e.g. ``api@docker``."""
    provider: str
    config: Any
    """The model of ``config/dynamic``; None for internal services."""
    path: str = ""
    """The element path, e.g. ``http.routers.api@docker``."""
    source: str = ""
    """The container or file."""
    key: str = ""
    """Its key as the user wrote it, e.g. ``traefik.http.routers.api``."""
    notes: dict[str, str] = field(default_factory=dict)
    status: Status = "enabled"
    errors: list[str] = field(default_factory=list)
    """Why it is disabled or what is doubtful."""
    used_by: list[str] = field(default_factory=list)
    """Routers that name it."""
    using: list[str] = field(default_factory=list)
    """Entry points, for a router."""

    def disable(self, message: str) -> None:
        """Take it out of service, for the reason given."""
        self.status = "disabled"
        if message not in self.errors:
            self.errors.append(message)

    def warn(self, message: str) -> None:
        """Keep it in service and say what is wrong."""
        if self.status == "enabled":
            self.status = "warning"
        if message not in self.errors:
            self.errors.append(message)

    @property
    def is_served(self) -> bool:
        return self.status != "disabled"

    def diagnostic(self, severity: Severity, message: str) -> Diagnostic:
        """Return a finding that names this element as the user knows it."""
        element = self.path.rpartition("@")[0] or self.path
        return Diagnostic(severity, message, self.provider, self.source, self.key, element)


@dataclass(slots=True)
class RouterInfo(ElementInfo):
    """A router and what it comes down to on its entry points (``using``)."""

    rule: str = ""
    rule_syntax: str = "v3"
    priority: int = 0
    """Never 0 once the rule is known."""
    precedence: int = 0
    """The provider's rank; higher wins between equal priorities."""
    middlewares: list[str] = field(default_factory=list)
    """Those of the entry point, its own, then those of its service; chains expanded."""
    service: str = ""
    """Qualified."""
    tls: RouterTLS | None = None
    observability: RouterObservability = field(default_factory=RouterObservability)
    parents: list[str] = field(default_factory=list)
    """Routers it is below of (``parentRefs``), copies for entry points included."""
    children: list[str] = field(default_factory=list)
    """Routers below it: one of them takes the place of a service."""


@dataclass(slots=True)
class ServiceInfo(ElementInfo):
    """A service."""

    kind: str = ""
    """Traefik's name: ``loadBalancer``, ``weighted``, ...; ``internal`` for our own."""
    middlewares: list[str] = field(default_factory=list)
    """Its own, in front of it where another service asks it; chains expanded. Routers that
    name the service have them in theirs."""
    in_use: bool = False
    """Whether some router can come to it, be it by other services."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Services it is made of that get no requests, by qualified name, and why."""

    @property
    def has_health_check(self) -> bool:
        balancer = self.config.load_balancer if self.config is not None else None
        return balancer is not None and balancer.health_check is not None and self.is_served


@dataclass(slots=True)
class MiddlewareInfo(ElementInfo):
    """A middleware with its decoded options."""

    type: str = ""
    """Traefik's spelling, e.g. ``stripPrefix``; as written when unknown."""
    options: Any = None
    """The dataclass of ``edgerouter.middleware``, or None when it could not be decoded."""
    is_misread: bool = False
    """Whether the type or an option is no such thing."""


@dataclass(slots=True)
class HTTPRuntime:
    """The ``http`` section."""

    routers: dict[str, RouterInfo] = field(default_factory=dict)
    services: dict[str, ServiceInfo] = field(default_factory=dict)
    middlewares: dict[str, MiddlewareInfo] = field(default_factory=dict)
    servers_transports: dict[str, ServersTransport] = field(default_factory=dict)
    broken_transports: dict[str, str] = field(default_factory=dict)
    """Why servers cannot be reached over TLS under some transports, by their names."""


@dataclass(slots=True)
class StreamRuntime:
    """The ``tcp`` or the ``udp`` section."""

    routers: dict[str, ElementInfo] = field(default_factory=dict)
    services: dict[str, ElementInfo] = field(default_factory=dict)
    middlewares: dict[str, ElementInfo] = field(default_factory=dict)


@dataclass(slots=True)
class RuntimeConfiguration:
    """Everything that is configured dynamically, and what became of it."""

    http: HTTPRuntime = field(default_factory=HTTPRuntime)
    tcp: StreamRuntime = field(default_factory=StreamRuntime)
    udp: StreamRuntime = field(default_factory=StreamRuntime)
    tls: TLSConfiguration = field(default_factory=TLSConfiguration)
    diagnostics: tuple[Diagnostic, ...] = ()
    """What providers found, then what was found here."""


def missing(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a reference that leads nowhere, with what may be meant."""
    names = sorted(known)
    base = name.partition("@")[0]
    # The first of equal names of several providers is as good as any.
    by_base = {other.partition("@")[0]: other for other in reversed(names[:MAX_CANDIDATES])}
    elsewhere = by_base.get(base) or by_base.get(did_you_mean(base, by_base) or "")
    meant = f'; did you mean "{elsewhere}"?' if elsewhere else ""
    return f'the {kind} "{name}" does not exist{meant}'
