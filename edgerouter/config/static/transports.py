"""``serversTransport`` and ``tcpServersTransport``: defaults for connections to servers."""

from typing import Annotated

from pydantic import Field

from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import ALLOW_EMPTY


class SpiffeTransport(Section):
    """``spiffe`` of a transport."""

    ids: list[str] = Field(default_factory=list, description="SPIFFE identities allowed.")
    trust_domain: str = Field("", description="SPIFFE trust domain.")


class ForwardingTimeouts(Section):
    """``serversTransport.forwardingTimeouts``; 0 switches a time-out off."""

    dial_timeout: Seconds = Field(30, description="Longest time to connect.")
    response_header_timeout: Seconds = Field(
        0, description="Longest wait for the head of the response."
    )
    idle_conn_timeout: Seconds = Field(90, description="How long an idle connection is kept.")


class ServersTransport(Section):
    """``serversTransport``: the default for HTTP services."""

    insecure_skip_verify: bool = Field(False, description="Accept any server certificate.")
    root_cas: list[str] = Field(
        default_factory=list,
        alias="rootCAs",
        description="Files or texts of certificates to trust.",
    )
    max_idle_conns_per_host: int = Field(
        200, description="Idle connections kept per server; negative: none."
    )
    forwarding_timeouts: ForwardingTimeouts = Field(
        default_factory=ForwardingTimeouts, description="Time-outs towards servers."
    )
    spiffe: Annotated[SpiffeTransport | None, ALLOW_EMPTY] = Field(
        None, description="SPIFFE towards servers."
    )


class TCPServersTransportTLS(Section):
    """``tcpServersTransport.tls``."""

    insecure_skip_verify: bool = Field(False, description="Accept any server certificate.")
    root_cas: list[str] = Field(
        default_factory=list,
        alias="rootCAs",
        description="Files or texts of certificates to trust.",
    )
    spiffe: Annotated[SpiffeTransport | None, ALLOW_EMPTY] = Field(
        None, description="SPIFFE towards servers."
    )


class TCPServersTransport(Section):
    """``tcpServersTransport``: the default for TCP services."""

    dial_keep_alive: Seconds = Field(15, description="Interval of TCP keep-alive probes.")
    dial_timeout: Seconds = Field(30, description="Longest time to connect.")
    termination_delay: Seconds = Field(
        0, description="How long a half-closed connection may go on."
    )
    tls: Annotated[TCPServersTransportTLS | None, ALLOW_EMPTY] = Field(
        None, description="TLS towards servers."
    )
