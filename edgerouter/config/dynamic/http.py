"""HTTP routers, services, middlewares and servers transports, with Traefik's defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from edgerouter.config.dynamic.base import (
    Certificate,
    ChildHealthCheck,
    Domain,
    Model,
    Spiffe,
    SubjectAltName,
)
from edgerouter.config.types import (
    ALLOW_EMPTY,
    LABEL_ONLY,
    NOT_IN_LABELS,
    OURS,
    Duration,
    LabelName,
    Names,
)


class RouterTLS(Model):
    """TLS of a router; its presence makes the router answer TLS only."""

    options: str = ""
    cert_resolver: str = ""
    domains: list[Domain] = []


class RouterObservability(Model):
    """What is recorded for a router; unset values come from its entry point."""

    access_logs: bool | None = None
    metrics: bool | None = None
    tracing: bool | None = None
    trace_verbosity: Literal["minimal", "detailed"] | None = None


class Router(Model):
    """Which requests go to which service."""

    entry_points: Names = []
    middlewares: Names = []
    service: str = ""
    rule: str = ""
    parent_refs: Annotated[list[str], NOT_IN_LABELS] = []
    rule_syntax: str = ""
    priority: int = 0
    """0 stands for the length of the rule."""
    tls: Annotated[RouterTLS | None, ALLOW_EMPTY] = None
    observability: RouterObservability | None = None
    _has_default_rule: bool = PrivateAttr(default=False)

    @property
    def has_default_rule(self) -> bool:
        """Whether a provider's default rule is its rule: such routers are guarded against loops."""
        return self._has_default_rule

    def with_default_rule(self, rule: str) -> "Router":
        """Return a copy with the rule that the provider made."""
        copy = self.model_copy(update={"rule": rule})
        copy._has_default_rule = True
        return copy


class Cookie(Model):
    """The cookie that keeps a client at its server."""

    name: str = ""
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    max_age: int = 0
    """Seconds; 0 makes a session cookie, a negative value expires it at once."""
    path: str = "/"
    domain: str = ""
    replica: bool | None = None
    """Ours: the value names the replica, which a re-created container is again."""


class Sticky(Model):
    """Clients stay at their server."""

    cookie: Annotated[Cookie | None, ALLOW_EMPTY] = None


class Server(Model):
    """One server of a load balancer."""

    url: str = ""
    weight: int | None = None
    """Unset stands for 1."""
    preserve_path: bool = False
    backup: bool | None = None
    """Ours: asked only when no other server can be."""
    down: bool | None = None
    """Ours: never asked."""
    replica: str = ""
    """Ours: what ``sticky.cookie.replica`` names; containers get their number in the project."""
    scheme: Annotated[str, LABEL_ONLY] = ""
    port: Annotated[str, LABEL_ONLY] = ""


class ServerHealthCheck(Model):
    """Active health checks."""

    scheme: str = ""
    mode: str = "http"
    path: str = ""
    method: str = ""
    status: int = 0
    port: int = 0
    interval: Duration = 30.0
    unhealthy_interval: Duration | None = None
    timeout: Duration = 5.0
    hostname: str = ""
    follow_redirects: bool = True
    headers: dict[str, str] = {}


class PassiveServerHealthCheck(Model):
    """Servers that fail real requests are left out for a while."""

    failure_window: Duration = 10.0
    max_failed_attempts: int = 1


class ResponseForwarding(Model):
    """How answers are passed on; a negative interval flushes each write."""

    flush_interval: Duration = 0.1


class OutlierDetection(Model):
    """Ours: servers that fail again and again are left out, by Envoy's names."""

    consecutive_5xx: int = 5
    base_ejection_time: Duration = 30.0
    max_ejection_percent: int = 50
    interval: Duration = 10.0
    """Seconds after which the success rates of servers are compared."""
    success_rate_minimum_hosts: int = 5
    success_rate_request_volume: int = 100
    success_rate_stdev_factor: int = 1900
    """Thousandths: how many standard deviations below the mean an outlier is."""


class ServersLoadBalancer(Model):
    """Requests are spread over servers."""

    sticky: Annotated[Sticky | None, ALLOW_EMPTY] = None
    servers: Annotated[list[Server], LabelName("server")] = []
    strategy: str = "wrr"
    health_check: ServerHealthCheck | None = None
    passive_health_check: PassiveServerHealthCheck | None = None
    pass_host_header: bool = True
    response_forwarding: ResponseForwarding = ResponseForwarding()
    servers_transport: str = ""

    # Ours; Traefik has none of these.
    hash_header: Annotated[str, OURS] = ""
    """The header field that chooses the server with ``strategy: headerhash``."""
    max_fails: Annotated[int, OURS] = 0
    """So many failures within ``failTimeout`` put a server to rest; 0: never (nginx)."""
    fail_timeout: Annotated[Duration, OURS] = 0.0
    """Seconds in which failures count, and for which a server rests; 0: 10 s."""
    outlier_detection: Annotated[OutlierDetection | None, OURS] = None
    """Servers whose answers are errors in a row are left out for a while (Envoy)."""
    try_duration: Annotated[Duration, OURS] = 0.0
    """Seconds a request waits for a server when there is none; 0: not at all."""
    hold: Annotated[Duration | None, OURS] = None
    """Seconds for which requests wait after the last server was lost; unset: as the provider says,
    which is ``edgerouter.turnover.hold`` for containers and 0 for others."""
    max_waiting: Annotated[int, OURS] = 0
    """Requests that may wait at once, per worker; 0: 256."""
    max_connections: Annotated[int, OURS] = 0
    """Requests that a server gets at once, from all workers together; 0: no limit."""
    max_queue: Annotated[int, OURS] = 0
    """Requests that wait in line when all servers have ``maxConnections``; 0: 1024."""
    queue_timeout: Annotated[Duration, OURS] = 0.0
    """Seconds a request waits in line; 0: 10 s."""
    queue_by_priority: Annotated[bool | None, OURS] = None
    """Whether the client's ``Priority`` field (RFC 9218) decides who goes first."""
    slow_start: Annotated[Duration, OURS] = 0.0
    """Seconds in which a server that has come or recovered gets its full share; 0: at once."""


class WeightedService(Model):
    """A child of a weighted or highest-random-weight service."""

    name: str = ""
    weight: int = 1


class WeightedRoundRobin(Model):
    """Requests are spread over services by weight."""

    services: list[WeightedService] = []
    sticky: Sticky | None = None
    health_check: Annotated[ChildHealthCheck | None, ALLOW_EMPTY] = None


class HighestRandomWeight(Model):
    """The client's address chooses the service."""

    services: list[WeightedService] = []
    health_check: Annotated[ChildHealthCheck | None, ALLOW_EMPTY] = None


class MirrorService(Model):
    """A service that gets a copy of some requests."""

    name: str = ""
    percent: int = 0


class Mirroring(Model):
    """Requests go to one service, copies of some to others."""

    service: str = ""
    mirror_body: bool = True
    max_body_size: int = -1
    mirrors: list[MirrorService] = []
    health_check: Annotated[ChildHealthCheck | None, ALLOW_EMPTY] = None


class FailoverError(Model):
    """Answers that count as a failure."""

    max_request_body_bytes: int = -1
    status: list[str] = []


class Failover(Model):
    """A second service stands in for the first."""

    service: str = ""
    fallback: str = ""
    health_check: Annotated[ChildHealthCheck | None, ALLOW_EMPTY] = None
    errors: FailoverError | None = None


class Service(Model):
    """Where requests go: exactly one of the kinds is set."""

    middlewares: Names = []
    load_balancer: ServersLoadBalancer | None = None
    highest_random_weight: Annotated[HighestRandomWeight | None, NOT_IN_LABELS] = None
    weighted: Annotated[WeightedRoundRobin | None, NOT_IN_LABELS] = None
    mirroring: Annotated[Mirroring | None, NOT_IN_LABELS] = None
    failover: Annotated[Failover | None, NOT_IN_LABELS] = None


class MiddlewareDefinition(Model):
    """A middleware as the user wrote it; its options are decoded where middlewares are known."""

    type: str
    """The name as written, e.g. ``stripprefix``; case does not count."""
    options: Mapping[str, Any] | str | None = None
    """The raw mapping below the type, or the scalar given in its place."""
    is_text: bool = False
    """Whether the options stood in labels, whose grammar is somewhat wider than that of files."""


class ForwardingTimeouts(Model):
    """Time-outs towards servers, in seconds; 0 means none."""

    dial_timeout: Duration = 30.0
    response_header_timeout: Duration = 0.0
    idle_conn_timeout: Duration = 90.0
    read_idle_timeout: Duration = 0.0
    ping_timeout: Duration = 15.0


class ServersTransport(Model):
    """How servers are reached."""

    server_name: str = ""
    insecure_skip_verify: bool = False
    root_cas: Annotated[list[str], Field(alias="rootCAs")] = []
    certificates: list[Certificate] = []
    cipher_suites: list[str] = []
    min_version: str = ""
    max_version: str = ""
    max_idle_conns_per_host: int = 200
    forwarding_timeouts: ForwardingTimeouts = ForwardingTimeouts()
    disable_http2: Annotated[bool, Field(alias="disableHTTP2")] = False
    peer_cert_uri: Annotated[str, Field(alias="peerCertURI")] = ""
    peer_cert_sans: Annotated[list[SubjectAltName], Field(alias="peerCertSANs")] = []
    spiffe: Annotated[Spiffe | None, ALLOW_EMPTY] = None


class RouterModel(Model):
    """Defaults for the routers of one entry point."""

    middlewares: Names = []
    tls: Annotated[RouterTLS | None, ALLOW_EMPTY] = None
    observability: RouterObservability = RouterObservability()
    default_rule_syntax: str = ""


class HTTPConfiguration(Model):
    """The ``http`` section; names are unqualified until configurations are merged."""

    routers: dict[str, Router] = {}
    services: dict[str, Service] = {}
    middlewares: dict[str, MiddlewareDefinition] = {}
    models: Annotated[dict[str, RouterModel], NOT_IN_LABELS] = {}
    servers_transports: Annotated[dict[str, ServersTransport], NOT_IN_LABELS] = {}
