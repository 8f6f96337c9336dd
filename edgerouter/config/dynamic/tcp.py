"""TCP routers, services, middlewares and servers transports, with Traefik's defaults."""

from typing import Annotated

from pydantic import Field

from edgerouter.config.dynamic.base import (
    Certificate,
    ChildHealthCheck,
    Domain,
    Model,
    ProxyProtocol,
    Spiffe,
    SubjectAltName,
)
from edgerouter.config.types import (
    ALLOW_EMPTY,
    LABEL_ONLY,
    NOT_IN_LABELS,
    Duration,
    LabelName,
    Names,
)


class TCPRouterTLS(Model):
    """TLS of a TCP router: ended here, or passed through."""

    passthrough: bool = False
    options: str = ""
    cert_resolver: str = ""
    domains: list[Domain] = []


class TCPRouter(Model):
    """Which connections go to which service."""

    entry_points: Names = []
    middlewares: Names = []
    service: str = ""
    rule: str = ""
    rule_syntax: str = ""
    priority: int = 0
    tls: Annotated[TCPRouterTLS | None, ALLOW_EMPTY] = None


class TCPServer(Model):
    """One server of a TCP load balancer."""

    address: Annotated[str, NOT_IN_LABELS] = ""
    port: Annotated[str, LABEL_ONLY] = ""
    tls: bool = False


class TCPServerHealthCheck(Model):
    """Active health checks."""

    port: int = 0
    send: str = ""
    expect: str = ""
    interval: Duration = 30.0
    unhealthy_interval: Duration | None = None
    timeout: Duration = 5.0


class TCPServersLoadBalancer(Model):
    """Connections are spread over servers."""

    servers: Annotated[list[TCPServer], LabelName("server")] = []
    servers_transport: str = ""
    proxy_protocol: Annotated[ProxyProtocol | None, ALLOW_EMPTY] = None
    termination_delay: int | None = None
    """Milliseconds; deprecated in favour of the servers transport's."""
    health_check: Annotated[TCPServerHealthCheck | None, ALLOW_EMPTY] = None


class TCPWeightedService(Model):
    """A child of a weighted TCP service."""

    name: str = ""
    weight: int = 1


class TCPWeightedRoundRobin(Model):
    """Connections are spread over services by weight."""

    services: list[TCPWeightedService] = []
    health_check: Annotated[ChildHealthCheck | None, ALLOW_EMPTY] = None


class TCPService(Model):
    """Where connections go: exactly one of the kinds is set."""

    load_balancer: TCPServersLoadBalancer | None = None
    weighted: Annotated[TCPWeightedRoundRobin | None, NOT_IN_LABELS] = None


class TCPInFlightConn(Model):
    """How many connections one peer may hold."""

    amount: int = 0


class TCPIPAllowList(Model):
    """Which peers may connect."""

    source_range: list[str] = []


class TCPMiddleware(Model):
    """Exactly one of the kinds is set."""

    in_flight_conn: TCPInFlightConn | None = None
    ip_white_list: TCPIPAllowList | None = None
    ip_allow_list: TCPIPAllowList | None = None


class TLSClientConfig(Model):
    """TLS towards servers."""

    server_name: str = ""
    insecure_skip_verify: bool = False
    root_cas: Annotated[list[str], Field(alias="rootCAs")] = []
    certificates: list[Certificate] = []
    peer_cert_uri: Annotated[str, Field(alias="peerCertURI")] = ""
    peer_cert_sans: Annotated[list[SubjectAltName], Field(alias="peerCertSANs")] = []
    spiffe: Annotated[Spiffe | None, ALLOW_EMPTY] = None


class TCPServersTransport(Model):
    """How TCP servers are reached."""

    dial_keep_alive: Duration = 15.0
    dial_timeout: Duration = 30.0
    proxy_protocol: Annotated[ProxyProtocol | None, ALLOW_EMPTY] = None
    termination_delay: Duration = 0.1
    tls: Annotated[TLSClientConfig | None, ALLOW_EMPTY] = None


class TCPConfiguration(Model):
    """The ``tcp`` section."""

    routers: dict[str, TCPRouter] = {}
    services: dict[str, TCPService] = {}
    middlewares: dict[str, TCPMiddleware] = {}
    servers_transports: Annotated[dict[str, TCPServersTransport], NOT_IN_LABELS] = {}
