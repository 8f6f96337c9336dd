"""An entry point as the data plane sees it: prepared options and the current table.

Options are worked out once, when the worker starts; per request only plain
attributes are read. The table is swapped by assigning ``table``.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from edgerouter.http import fields
from edgerouter.http.date import http_date
from edgerouter.http.errors import (
    BadRequest,
    BadRequestAsTraefik,
    BrokenOff,
    ExchangeError,
    RequestTimeout,
)
from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request, Response
from edgerouter.observability import complaints
from edgerouter.proxy.errorpage import error_response, explained
from edgerouter.proxy.forwarded import ForwardedHeaders, KnownHosts, Networks
from edgerouter.proxy.paths import ENCODED_CHARACTERS
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable
from edgerouter.tls.selection import Certificates, Selector

DEFAULT_READ_TIMEOUT = 60.0
"""Seconds: for a request head, and between two reads of a body when ``readTimeout`` is unset."""

GO_MORE_HEADER_BYTES = 4096
"""What Go's server reads beyond its limit of a head."""

REASON = b"X-Edgerouter-Reason"
"""The field that says why there is no answer, with ``api.insecure``, to who may know."""
SAYS_WHY = ("routing", "upstream")
"""Whose faults it tells of: those of requests the body of the answer explains."""

LONGEST_REASON = 1000
"""Characters; the rest is in the log."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]").sub

_log = logging.getLogger(__name__)


class Finished(Protocol):
    """What is told of every exchange at its end, whatever happened."""

    def __call__(self, request: Request, response: Response | None) -> None: ...


class Refused(Protocol):
    """What is told of every head that is answered with ``error`` and ``size`` bytes of content."""

    def __call__(self, peer: Peer, error: ExchangeError, size: int) -> None: ...


class Unmatched(Protocol):
    """Told of every request that no router matches; returns why, for people."""

    def __call__(self, request: Request) -> str: ...


class Table(Protocol):
    """Finds the route of a request."""

    def match(self, request: Request) -> Route | None:
        """Return the route that takes ``request``, or None.

        Raises:
            ExchangeError: The request is refused before any route is looked for.
        """
        ...


class EntryPoint:
    """One listening address with its options and its routes."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        on_unmatched: Unmatched | None = None,
        shows_reason: bool = False,
        as_traefik: bool = False,
        finished: Finished | None = None,
        refused: Refused | None = None,
    ) -> None:
        http = options.get("http") or {}
        transport = options.get("transport") or {}
        timeouts = transport.get("respondingTimeouts") or {}
        self.name = name
        self.table: Table = RouteTable([])
        """Routers without ``tls``; they answer plain connections."""
        self.secure: Table = RouteTable([])
        """Routers with ``tls``; they answer TLS connections."""
        self.tls = Selector(Certificates(), {})
        """Decides about TLS connections before the handshake."""
        self.answers_challenges = not options.get("allowACMEByPass")
        """Whether pending ACME challenges (HTTP-01) come before all routers."""
        self.finished = finished
        """The access log, when there is one."""
        self.refused: Refused = refused or _unheard
        """The same for what is no request."""
        self._on_unmatched = on_unmatched
        self.shows_reason = shows_reason and not as_traefik
        """Whether clients that are trusted see why they get 404, 502, 503 or 504."""
        self.as_traefik = as_traefik
        """``edgerouter.compat=traefik``: nothing is to be better than in Traefik."""
        self.real_ip: Callable[[Request], Request] | None = None
        """Finds the client behind a trusted proxy, before rules see the request."""
        self.on_demand: Callable[[str], asyncio.Future[None] | None] | None = None
        """Gets certificates for server names; what it returns is waited for in the handshake."""
        self.on_client: Callable[[str], None] | None = None
        """Is told the address of each new connection's client, while somebody wants to know."""
        self.closing = False
        """Whether connections are to be closed after the current request (draining)."""

        self.hosts = KnownHosts()
        self.forwarded = ForwardedHeaders(options.get("forwardedHeaders") or {})
        self.append_forwarded_for = not (options.get("forwardedHeaders") or {}).get(
            "notAppendXForwardedFor"
        )
        self.proxy_protocol = _trusted_proxies(options.get("proxyProtocol"))

        more = GO_MORE_HEADER_BYTES if as_traefik else 0
        self.max_header_bytes: int = (http.get("maxHeaderBytes") or 1048576) + more
        self.sanitise_path: bool = http.get("sanitizePath", True)
        self.encode_semicolons: bool = http.get("encodeQuerySemicolons", False)
        self.name_strategies = _name_strategies(http)
        """What becomes of odd field names, by their kind: keep, delete or reject."""
        self._refused_escapes = _refused_escapes(http.get("encodedCharacters") or {})

        self.read_timeout: float | None = timeouts.get("readTimeout")
        """Seconds for a whole request; None: 60 s for the head and between reads of the body."""
        self.head_timeout = _or_forever(self.read_timeout, DEFAULT_READ_TIMEOUT)
        idle: float | None = timeouts.get("idleTimeout")
        go_takes_another = as_traefik and idle == 0
        self.idle_timeout = self.head_timeout if go_takes_another else _or_forever(idle, 180.0)
        self.write_timeout: float = timeouts.get("writeTimeout") or 0.0
        self.keep_alive_max_requests: int = transport.get("keepAliveMaxRequests") or 0
        self.keep_alive_max_time: float = transport.get("keepAliveMaxTime") or 0.0

    def wants_close(self, requests: int, age: float) -> bool:
        """Tell whether a connection ends with its present request, its ``requests``-th.

        ``age`` is the time since it was accepted, in seconds.
        """
        return (
            self.closing
            or bool(self.keep_alive_max_requests and requests >= self.keep_alive_max_requests)
            or bool(self.keep_alive_max_time and age >= self.keep_alive_max_time)
        )

    def check_path(self, path: str) -> None:
        """Refuse escapes that this entry point does not allow.

        Raises:
            BadRequest: The path holds one.
        """
        if self._refused_escapes is not None and "%" in path:
            found = self._refused_escapes(path)
            if found is not None:
                message = f"the path holds {found[0]}, which this entry point does not allow"
                raise BadRequestAsTraefik(message) if self.as_traefik else BadRequest(message)

    def _unmatched(self, request: Request) -> Response:
        response = error_response(404, "404 page not found\n")
        reason = self._on_unmatched(request) if self._on_unmatched is not None else ""
        if reason and self.shows_reason and _is_trusted(request.peer):
            response.headers.append(_reason(reason))
        return response

    def dispatch(self, request: Request) -> Awaitable[Response]:
        """Return what answers ``request`` by the current table; ``failed`` says what if it fails.

        Raises:
            ExchangeError: The request is refused.
        """
        if request.target == "*" and request.method == "OPTIONS":
            return Response(200, Headers())  # About us, no server (RFC 9110, section 9.3.7).
        if self.real_ip is not None:
            request = self.real_ip(request)
        table = self.table if request.peer.tls is None else self.secure
        route = table.match(request)
        if route is None:
            return self._unmatched(request)
        if self._refused_escapes is not None:
            self.check_path(request.path)
        request.exchange.router = route.name
        return route.handler(request)

    def failed(self, request: Request, error: Exception) -> Response:
        """Return the answer to a request whose handler raised ``error``.

        Raises:
            BrokenOff: There is to be none.
        """
        if not isinstance(error, ExchangeError):
            request.exchange.error = "internal error"
            _log.error("A request failed inside the router", exc_info=error)
            return error_response(500)
        if isinstance(error, BrokenOff):
            raise error
        request.exchange.error = str(error)
        complaints.not_answered(request.exchange, error)
        response = self._page(error)
        if self.shows_reason and error.source in SAYS_WHY and _is_trusted(request.peer):
            response.headers.append(_reason(str(error)))
        if error.amend is not None:
            response.headers = error.amend(response.headers)
        for change in error.changes:
            change(response)
        return response

    def _page(self, error: ExchangeError) -> Response:
        if isinstance(error, BadRequestAsTraefik):
            return Response(error.status, Headers([(b"Date", http_date())]))
        if isinstance(error, BadRequest | RequestTimeout) and not self.as_traefik:
            return explained(error)
        response = error_response(error.status, error.page)
        if error.retry_after and not self.as_traefik:
            response.headers.append((b"Retry-After", b"%d" % error.retry_after))
        return response


def _unheard(peer: Peer, error: ExchangeError, size: int) -> None:
    """Take the place of an access log."""


def _reason(text: str) -> tuple[bytes, bytes]:
    """Return the field that says why; names in ``text`` may hold anything."""
    value = text[:LONGEST_REASON].encode("ascii", "backslashreplace")
    return REASON, _CONTROL(lambda found: b"\\x%02x" % found[0][0], value)


def _is_trusted(peer: Peer) -> bool:
    """Tell whether ``peer`` may learn of routers: it is trusted, or is this machine."""
    return peer.trusted or peer.ip == "::1" or peer.ip.startswith("127.")


def _trusted_proxies(options: Mapping[str, Any] | None) -> Networks | None:
    """Return whose PROXY headers count, None where nobody is to send any."""
    if not options:
        return None
    return Networks(options.get("trustedIPs") or (), everything=bool(options.get("insecure")))


def _name_strategies(http: Mapping[str, Any]) -> dict[int, str]:
    aliases = http.get("aliasHeadersStrategy")
    return {
        fields.UNDERSCORE: aliases or http.get("underscoreHeadersStrategy") or "keep",
        fields.ALIAS: aliases or "keep",
    }


def _or_forever(value: float | None, default: float) -> float:
    """Return ``value`` in seconds, ``default`` when unset; 0 means no limit."""
    if value is None:
        return default
    return value or float("inf")


def _refused_escapes(options: Mapping[str, Any]) -> Any:
    refused = [escape for name, escape in ENCODED_CHARACTERS.items() if not options.get(name, True)]
    return re.compile("|".join(refused)).search if refused else None
