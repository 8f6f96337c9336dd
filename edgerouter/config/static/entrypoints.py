"""``entryPoints.<name>``: where clients connect and what holds for all their requests."""

from typing import Annotated, Literal

from pydantic import Field

from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import ALLOW_EMPTY, Names

REDIRECTION_PRIORITY = 2**63 - 2
"""One less than the largest priority, so that ping and challenges stay reachable (Traefik)."""


class RespondingTimeouts(Section):
    """``transport.respondingTimeouts``; 0 switches a time-out off."""

    read_timeout: Seconds | None = Field(
        None,
        description="Longest time to read a whole request with its body. Unset: 60 s without"
        " progress, so that a long upload is not cut (60 s for the whole with compat=traefik).",
    )
    write_timeout: Seconds = Field(0, description="Longest time to write a response; 0: no limit.")
    idle_timeout: Seconds = Field(
        180, description="How long an unused keep-alive connection stays open; 0: no limit."
    )


class LifeCycle(Section):
    """``transport.lifeCycle``: what happens after the order to stop."""

    request_accept_grace_timeout: Seconds = Field(
        0, description="How long connections are still accepted after the order to stop."
    )
    grace_time_out: Seconds = Field(
        10, description="How long requests under way may then take before they are cut."
    )


class Transport(Section):
    """``transport``: connections of clients."""

    life_cycle: LifeCycle = Field(default_factory=LifeCycle, description="Graceful stop.")
    responding_timeouts: RespondingTimeouts = Field(
        default_factory=RespondingTimeouts, description="Time-outs of clients' connections."
    )
    keep_alive_max_time: Seconds = Field(
        0, description="Age at which a keep-alive connection is closed; 0: no limit."
    )
    keep_alive_max_requests: int = Field(
        0, ge=0, description="Requests after which a keep-alive connection is closed; 0: no limit."
    )


class ProxyProtocol(Section):
    """``proxyProtocol``: the PROXY header of a load balancer in front."""

    insecure: bool = Field(False, description="Believe the PROXY header of any peer.")
    trusted_ips: list[str] = Field(
        default_factory=list,
        alias="trustedIPs",
        description="Addresses and CIDRs of peers whose PROXY header counts; others' is dropped.",
    )


class ForwardedHeaders(Section):
    """``forwardedHeaders``: which peers may set ``X-Forwarded-*``."""

    insecure: bool = Field(False, description="Trust X-Forwarded headers of every peer.")
    trusted_ips: list[str] = Field(
        default_factory=list,
        alias="trustedIPs",
        description="Addresses and CIDRs of peers whose X-Forwarded headers are kept.",
    )
    connection: list[str] = Field(
        default_factory=list,
        description="Headers that stay although the request's Connection header lists them.",
    )
    not_append_x_forwarded_for: bool = Field(
        False, description="Leave X-Forwarded-For as it came instead of adding the peer."
    )
    add_x_forwarded_scheme_headers: bool = Field(
        False, description="Also send X-Forwarded-Scheme and X-Scheme."
    )


class EntryPointRedirection(Section):
    """``http.redirections.entryPoint``: send every request to another entry point."""

    to: str = Field("", description="Name of the target entry point, or :port.")
    scheme: str = Field("https", description="Scheme of the target.")
    permanent: bool = Field(True, description="Answer 301 or 308 instead of 302 or 307.")
    priority: int = Field(REDIRECTION_PRIORITY, description="Priority of the generated router.")


class Redirections(Section):
    """``http.redirections``."""

    entry_point: EntryPointRedirection | None = Field(
        None, description="Redirect every request to another entry point."
    )


class TLSDomain(Section):
    """A certificate's names."""

    main: str = Field("", description="Main name.")
    sans: list[str] = Field(default_factory=list, description="Further names.")


class EntryPointTLS(Section):
    """``http.tls``: TLS of the routers of this entry point that say nothing themselves."""

    options: str = Field("", description="Name of the TLS options.")
    cert_resolver: str = Field("", description="Name of the certificate resolver.")
    domains: list[TLSDomain] = Field(
        default_factory=list, description="Names of the certificates to obtain."
    )


class EncodedCharacters(Section):
    """``http.encodedCharacters``: false answers 400 to a path with that encoded character."""

    allow_encoded_slash: bool = Field(True, description="Allow %2F in the path.")
    allow_encoded_back_slash: bool = Field(True, description="Allow %5C in the path.")
    allow_encoded_null_character: bool = Field(True, description="Allow %00 in the path.")
    allow_encoded_semicolon: bool = Field(True, description="Allow %3B in the path.")
    allow_encoded_percent: bool = Field(True, description="Allow %25 in the path.")
    allow_encoded_question_mark: bool = Field(True, description="Allow %3F in the path.")
    allow_encoded_hash: bool = Field(True, description="Allow %23 in the path.")


class EntryPointHTTP(Section):
    """``http``: rules for every HTTP request of the entry point."""

    redirections: Redirections | None = Field(None, description="Redirections.")
    middlewares: Names = Field(
        default_factory=list,
        description="Middlewares in front of those of every router, as name@provider.",
    )
    tls: Annotated[EntryPointTLS | None, ALLOW_EMPTY] = Field(
        None, description="TLS for the routers of this entry point without their own."
    )
    encoded_characters: EncodedCharacters = Field(
        default_factory=EncodedCharacters, description="Which encoded characters a path may hold."
    )
    encode_query_semicolons: bool = Field(
        False, description="Encode semicolons of the query instead of treating them as &."
    )
    sanitize_path: bool = Field(True, description="Clean //, /./ and /../ before routing.")
    max_header_bytes: int = Field(
        1048576,
        ge=0,
        description="Largest request head in bytes; beyond it the answer is 431. 0: 1048576.",
    )
    alias_headers_strategy: Literal["", "keep", "delete", "reject"] = Field(
        "",
        description="What to do with headers whose names hold something else than letters, digits"
        " and dashes; empty: keep.",
    )
    underscore_headers_strategy: Literal["", "keep", "delete", "reject"] = Field(
        "",
        description="What to do with headers whose names contain an underscore; empty: keep."
        " Traefik calls it deprecated: aliasHeadersStrategy covers more.",
    )


class EntryPointHTTP2(Section):
    """``http2``."""

    max_concurrent_streams: int = Field(250, ge=1, description="Requests at once per connection.")
    max_decoder_header_table_size: int = Field(
        4096, ge=0, description="Largest header table for decoding, in bytes."
    )
    max_encoder_header_table_size: int = Field(
        4096, ge=0, description="Largest header table for encoding, in bytes."
    )


class EntryPointHTTP3(Section):
    """``http3``."""

    advertised_port: int = Field(
        0, ge=0, le=65535, description="UDP port to advertise; 0: the entry point's own."
    )


class EntryPointUDP(Section):
    """``udp``."""

    timeout: Seconds = Field(3, description="How long an idle UDP session is kept.")


class EntryPointObservability(Section):
    """``observability``: defaults for the routers of the entry point."""

    access_logs: bool = Field(True, description="Access log for its routers.")
    metrics: bool = Field(True, description="Metrics for its routers.")
    tracing: bool = Field(True, description="Tracing for its routers.")
    trace_verbosity: Literal["minimal", "detailed"] = Field(
        "minimal", description="How many spans a request has."
    )


class EntryPoint(Section):
    """``entryPoints.<name>``."""

    address: str = Field("", description="Address as [host]:port[/tcp|/udp].")
    allow_acme_by_pass: bool = Field(
        False,
        alias="allowACMEByPass",
        description="Let user routers answer /.well-known/acme-challenge/.",
    )
    reuse_port: bool = Field(False, description="Let other processes listen on the same port.")
    as_default: bool = Field(
        False,
        description="Use it for routers that name no entry point, together with others"
        " that say so.",
    )
    transport: Transport = Field(default_factory=Transport, description="Clients' connections.")
    proxy_protocol: Annotated[ProxyProtocol | None, ALLOW_EMPTY] = Field(
        None, description="PROXY protocol."
    )
    forwarded_headers: ForwardedHeaders = Field(
        default_factory=ForwardedHeaders, description="Trust in X-Forwarded headers."
    )
    http: EntryPointHTTP = Field(default_factory=EntryPointHTTP, description="HTTP rules.")
    http2: EntryPointHTTP2 = Field(default_factory=EntryPointHTTP2, description="HTTP/2.")
    http3: Annotated[EntryPointHTTP3 | None, ALLOW_EMPTY] = Field(None, description="HTTP/3.")
    udp: EntryPointUDP = Field(default_factory=EntryPointUDP, description="UDP sessions.")
    observability: EntryPointObservability = Field(
        default_factory=EntryPointObservability, description="Defaults of its routers."
    )
