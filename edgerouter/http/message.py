"""Request, Response and what surrounds them.

Instances are made once per request on the hot path: plain ``__slots__``
classes, treated as immutable (``Request.evolve`` makes a changed copy).
``Exchange`` is the one mutable companion: facts for logs and metrics.
"""

import asyncio
from collections.abc import Callable, Generator
from time import time
from typing import TYPE_CHECKING, Any

from edgerouter.http.body import EMPTY, Body
from edgerouter.http.errors import BadRequest
from edgerouter.http.headers import Headers

if TYPE_CHECKING:
    from edgerouter.http.dials import Dials
    from edgerouter.http.tunnel import Tunnel


class Peer:
    """The downstream connection as the rest of the program sees it; one per connection."""

    __slots__ = (
        "address",
        "appends_forwarded_for",
        "entrypoint",
        "hop",
        "ip",
        "ip_bytes",
        "look",
        "port",
        "tls",
        "trusted",
    )

    def __init__(
        self, ip: str, port: int, entrypoint: str, *, trusted: bool = False, tls: Any = None
    ) -> None:
        self.ip = ip
        self.ip_bytes = ip.partition("%")[0].encode()
        """The client's address as it goes into header fields, without an IPv6 zone."""
        self.hop = self.ip_bytes
        """The address at the end of ``X-Forwarded-For``: with ``realIp`` that of the proxy."""
        self.appends_forwarded_for = True
        """Whether servers see ``hop`` at the end of ``X-Forwarded-For``."""
        self.port = port
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        self.entrypoint = entrypoint
        self.trusted = trusted
        """Whether its ``X-Forwarded-*`` fields are believed."""
        self.look: Callable[[], None] = nowhere
        """Has its connection end if it has closed, which nobody sees while nothing is read."""
        self.tls = tls
        """TLS facts (version, cipher, SNI, client certificates) or None on plain connections."""


def nowhere() -> None:
    """Look after nobody."""


class Exchange:
    """What is known of one request for the access log; written to as it becomes known.

    The class attributes are the defaults: an instance stores only what was set.
    Times are seconds, sizes bytes.
    """

    router = ""
    below = ""
    """``" -> name"`` of each router below that one which the request has passed."""
    service = ""
    server = ""
    """The URL of the server that answered, or was asked last."""
    user = ""
    proxy_authorization = b""
    """What came in ``Proxy-Authorization``: for us and our authentication server, no other one."""
    client = ""
    """The client's address where a middleware knows better than the peer's."""
    request_id = ""
    status = 0
    request_size = 0
    response_size = 0
    origin_status = 0
    origin_duration = 0.0
    origin_size = 0
    """Size of the server's body where a middleware has changed it, else 0."""
    origin_headers: Headers | None = None
    """The header of the server's answer as it came, for the access log."""
    origin_length: int | None = None
    """The length the server gave its body, None without."""
    retries = 0
    repeats = 0
    """How often middlewares have sent it again after a server had got it."""
    is_charged = False
    """Whether it counts in a budget of repetitions."""
    fetching: tuple[object, ...] = ()
    """Who fetches error pages now, the outermost first: a page that fails gets none of its own."""
    resets = 0
    """How many servers went away with the request."""
    dials: "Dials | None" = None
    """What watches over connections that are opened for it."""
    dial_until = 0.0
    """Until when, by the clock of the event loop, they may take; 0: as the transport says."""
    sent: Callable[[], None] | None = None
    """Called when a connection to a server is there, if somebody wants to know."""
    hung = ""
    """The URL of the server whose connection took too long last."""
    error = ""
    """Why the exchange failed, for people."""
    refusal: BadRequest | None = None
    """Why a handler of the entry point refuses it; ``edgerouter.compat=traefik``."""
    said_length: int | None = None
    """What a server has said of the length of its answer, -1 for nothing; None when none has
    answered. ``edgerouter.compat=traefik``."""
    is_guessed = False
    """Whether nobody has said the type of the answer; ``edgerouter.compat=traefik``."""
    hop_fields: frozenset[bytes] = frozenset()
    """Names (lower case) that go to middlewares and no further; ``edgerouter.compat=traefik``."""
    logged = True
    """Whether the router wants it in the access log."""

    def __init__(self) -> None:
        self.start = time()


class Request:
    """One request, already normalised: what routers match and services forward.

    ``path`` and ``query`` are text without the ``?``; non-ASCII bytes are
    surrogate-escaped. ``host`` is the lower-case name without port and
    trailing dot; ``authority`` is what came in ``Host`` or an absolute target.
    ``headers`` hold neither ``Host`` nor hop-by-hop fields. ``upgrade`` is the
    protocol asked for (``websocket``) or an empty string.
    """

    __slots__ = (
        "authority",
        "body",
        "exchange",
        "expects_continue",
        "headers",
        "host",
        "inform",
        "method",
        "path",
        "peer",
        "query",
        "scheme",
        "target",
        "upgrade",
        "version",
    )

    method: str
    scheme: str
    authority: str
    host: str
    path: str
    query: str | None
    target: str
    version: tuple[int, int]
    headers: Headers
    upgrade: str
    expects_continue: bool
    """Whether the client waits for ``100 Continue`` before it sends the body."""
    body: Body
    peer: Peer
    exchange: Exchange
    inform: Any
    """``inform(status, headers)`` sends an interim (1xx) response to the client, now."""

    def evolve(self, **changes: Any) -> "Request":
        """Return a copy with ``changes``; body, peer and exchange are shared."""
        copy = Request.__new__(Request)
        # Written out: several middlewares do this for each request.
        copy.authority = self.authority
        copy.body = self.body
        copy.exchange = self.exchange
        copy.expects_continue = self.expects_continue
        copy.headers = self.headers
        copy.host = self.host
        copy.inform = self.inform
        copy.method = self.method
        copy.path = self.path
        copy.peer = self.peer
        copy.query = self.query
        copy.scheme = self.scheme
        copy.target = self.target
        copy.upgrade = self.upgrade
        copy.version = self.version
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy


class Response:
    """One final response: a head, and a body or a tunnel.

    Who receives a response closes it or passes it on. A handler that knows its answer at once
    returns it instead of a coroutine: awaiting a response gives the response.
    """

    __slots__ = ("body", "headers", "status", "tunnel", "upload")

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: Body = EMPTY,
        tunnel: "Tunnel | None" = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.tunnel = tunnel
        self.upload: asyncio.Task[None] | None = None
        """The request body still on its way to the server that gave this response."""

    def __await__(self) -> Generator[None, None, "Response"]:
        yield from ()  # Awaiting demands a generator, even of nothing.
        return self

    def close(self) -> None:
        """Give back everything the response owns; safe to call twice."""
        if self.upload is not None:
            self.upload.cancel()
        self.body.close()
        if self.tunnel is not None:
            self.tunnel.close()
