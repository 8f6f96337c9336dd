"""The static configuration as types: everything that needs a restart to change.

The names, defaults and meanings are those of Traefik 3.7; ``edgerouter`` holds our
own options. ``model_dump(mode="json")`` is what workers receive: Traefik's camelCase
names, durations as seconds, providers' options left out.
"""

from typing import Annotated, Literal

from pydantic import Field

from edgerouter.config.static.acme import CertificatesResolver
from edgerouter.config.static.entrypoints import EntryPoint
from edgerouter.config.static.experimental import Experimental
from edgerouter.config.static.internal import API, Ping
from edgerouter.config.static.logs import AccessLog, Log
from edgerouter.config.static.metrics import Metrics, Tracing
from edgerouter.config.static.own import Own
from edgerouter.config.static.providers import Providers
from edgerouter.config.static.section import Section
from edgerouter.config.static.transports import ServersTransport, TCPServersTransport
from edgerouter.config.types import ALLOW_EMPTY

__all__ = [
    "API",
    "AccessLog",
    "EntryPoint",
    "Log",
    "Metrics",
    "Own",
    "Ping",
    "Providers",
    "ServersTransport",
    "StaticConfiguration",
    "Tracing",
]


class Global(Section):
    """``global``."""

    check_new_version: bool = Field(True, description="Accepted; nothing is ever asked for.")
    send_anonymous_usage: bool = Field(False, description="Accepted; nothing is ever sent.")
    not_append_x_forwarded_for: bool = Field(
        False, description="Leave X-Forwarded-For as it came, on every entry point."
    )


class Core(Section):
    """``core``."""

    default_rule_syntax: Literal["v2", "v3"] = Field("v3", description="Syntax of rules.")
    strict_tls_options: bool = Field(
        False,
        alias="strictTLSOptions",
        description="Do not fall back to the default TLS options where routers disagree.",
    )


class HostResolver(Section):
    """``hostResolver``."""

    cname_flattening: bool = Field(False, description="Resolve CNAMEs of the request's host.")
    resolv_config: str = Field("/etc/resolv.conf", description="File with name servers.")
    resolv_depth: int = Field(5, ge=0, description="Longest chain of CNAMEs.")


class OCSP(Section):
    """``ocsp``."""

    responder_overrides: dict[str, str] = Field(
        default_factory=dict, description="Responders to ask instead of those in certificates."
    )


class Spiffe(Section):
    """``spiffe``."""

    workload_api_addr: str = Field(
        "", alias="workloadAPIAddr", description="Address of the workload API."
    )


class StaticConfiguration(Section):
    """Everything that is read once at the start."""

    entry_points: dict[str, EntryPoint] = Field(
        default_factory=dict, description="Where clients connect; none: http on :80."
    )
    providers: Providers = Field(default_factory=Providers, description="Sources of routes.")
    log: Annotated[Log, ALLOW_EMPTY] = Field(
        default_factory=Log, description="Log of the router itself."
    )
    access_log: Annotated[AccessLog | None, ALLOW_EMPTY] = Field(
        None, description="One line per request."
    )
    api: Annotated[API | None, ALLOW_EMPTY] = Field(None, description="API and dashboard.")
    ping: Annotated[Ping | None, ALLOW_EMPTY] = Field(None, description="Answer to health checks.")
    metrics: Metrics | None = Field(None, description="Metrics.")
    tracing: Annotated[Tracing | None, ALLOW_EMPTY] = Field(None, description="Traces.")
    certificates_resolvers: dict[str, CertificatesResolver] = Field(
        default_factory=dict, description="How certificates are obtained."
    )
    servers_transport: ServersTransport = Field(
        default_factory=ServersTransport, description="Default transport of HTTP services."
    )
    tcp_servers_transport: TCPServersTransport = Field(
        default_factory=TCPServersTransport, description="Default transport of TCP services."
    )
    host_resolver: Annotated[HostResolver | None, ALLOW_EMPTY] = Field(
        None, description="CNAME flattening."
    )
    ocsp: Annotated[OCSP | None, ALLOW_EMPTY] = Field(None, description="OCSP stapling.")
    spiffe: Spiffe | None = Field(None, description="SPIFFE.")
    experimental: Experimental | None = Field(None, description="Unfinished features.")
    core: Core = Field(default_factory=Core, description="Core.")
    global_: Global = Field(default_factory=Global, alias="global", description="Global.")
    edgerouter: Own = Field(default_factory=Own, description="Options Traefik does not have.")

    @property
    def resolver_names(self) -> frozenset[str]:
        """The names of all certificate resolvers, those of the internal CA too."""
        own = self.edgerouter.certificates_resolvers
        internal = {name for name, each in own.items() if each.internal is not None}
        return frozenset(internal.union(self.certificates_resolvers))
