"""The request that ``forwardAuth`` sends: the client's headers, and what it asked for.

``trustForwardHeader`` decides about ``X-Forwarded-*``: unset writes them anew
and leaves the rest of the family as it came, false writes all anew, true keeps
what came. A WebSocket is told as ``http`` or ``https``: authentication servers
make addresses of it.
"""

import base64
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote, urlsplit

from edgerouter.http.body import Body
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.http.urls import without_credentials
from edgerouter.middleware.urls import bad_escape, escaped_path

_HOP = frozenset((b"te", b"trailer", b"upgrade", b"connection", b"keep-alive"))
_FAMILY = (
    b"x-forwarded-proto",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-server",
    b"x-forwarded-uri",
    b"x-forwarded-method",
    b"x-forwarded-tls-client-cert",
    b"x-forwarded-tls-client-cert-info",
    b"x-real-ip",
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%-]+").fullmatch
_PLAIN = {b"ws": b"http", b"wss": b"https"}


def mistake_in(address: str) -> str:
    """Return why no request can be sent to the address, an empty text if one can."""
    shown = without_credentials(address)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # Its text holds what stands where a port should: part of a password.
        return f"address: {shown!r} is no URL such as http://host:port"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"address: {shown!r} is not http://host or https://host"
    if _CONTROL(address) or not _HOST(parts.hostname):
        return f"address: {shown!r} holds characters that no URL can; write xn-- names"
    if bad := bad_escape(parts.path):
        return f'address: "{bad}" is not an escape; write a percent sign as %25'
    return ""


class AuthRequest:
    """Makes requests to one authentication server."""

    def __init__(
        self,
        address: str,
        *,
        trust: bool | None,
        allowed: Collection[bytes],
        keeps_method: bool,
        as_traefik: bool = False,
    ) -> None:
        parts = urlsplit(address)
        self._scheme = parts.scheme
        self._authority = parts.netloc.rpartition("@")[2]
        self._credentials = _credentials(parts.username, parts.password)
        self._host = (parts.hostname or "").lower()
        self._path = escaped_path(parts.path) or "/"
        self._query = parts.query.replace(" ", "%20") or None
        self._trust = trust
        self._allowed = frozenset(allowed)
        if trust and self._allowed:
            self._allowed = self._allowed.union(_FAMILY)
        self._keeps_method = keeps_method
        self._as_traefik = as_traefik

    def of(self, request: Request, body: Body) -> Request:
        """Return the request that asks about ``request``."""
        made = Request()
        made.method = request.method if self._keeps_method else "GET"
        made.scheme = self._scheme
        made.authority = self._authority
        made.host = self._host
        made.path = made.target = self._path
        made.query = self._query
        made.version = (1, 1)
        made.headers = self._headers(request)
        made.upgrade = ""
        made.expects_continue = False
        made.body = body
        made.peer = Peer(request.peer.ip, request.peer.port, request.peer.entrypoint)
        made.peer.appends_forwarded_for = False  # It is in the headers already.
        made.exchange = Exchange()
        made.inform = _ignore
        return made

    def _headers(self, request: Request) -> Headers:
        """Return the header; as Traefik, with what its client says of itself."""
        made = self._told(request)
        if self._credentials and not made.has(b"authorization"):
            made.append((b"Authorization", self._credentials))
        if self._as_traefik:
            if self._trust is None and not made.has(b"user-agent"):
                made.append((b"User-Agent", b"Go-http-client/1.1"))
            return made
        proto = made.first(b"x-forwarded-proto") or b""
        return made.replaced(b"X-Forwarded-Proto", _PLAIN[proto]) if proto in _PLAIN else made

    def _told(self, request: Request) -> Headers:
        dropped = _HOP if self._trust in (None, True) else _HOP.union(_FAMILY)
        allowed = self._allowed
        kept = Headers(
            [
                pair
                for pair in request.headers
                if (name := pair[0].lower()) not in dropped and (not allowed or name in allowed)
            ]
        )
        proxy_authorization = request.exchange.proxy_authorization
        if proxy_authorization and (not allowed or b"proxy-authorization" in allowed):
            kept.append((b"Proxy-Authorization", proxy_authorization))
        if self._trust is None:
            return _replaced(kept, _facts(request, with_port=False))
        facts = _facts(request, with_port=True)
        prior = kept.all(b"x-forwarded-for")
        chain = [*prior, request.peer.hop] if prior else [request.peer.ip_bytes]
        present = {b"x-forwarded-for", *(name.lower() for name, _ in kept)}
        missing = [pair for pair in facts if pair[0].lower() not in present]
        return _replaced(kept, [*missing, (b"X-Forwarded-For", b", ".join(chain))])


def _credentials(user: str | None, password: str | None) -> bytes:
    """Return ``Authorization`` for user and password of a URL, empty without a user."""
    if user is None:
        return b""
    both = f"{unquote(user)}:{unquote(password or '')}"
    return b"Basic " + base64.b64encode(both.encode())


def _facts(request: Request, *, with_port: bool) -> list[tuple[bytes, bytes]]:
    uri = request.path if request.query is None else f"{request.path}?{request.query}"
    host = request.authority.encode("latin-1")
    made = [
        (b"X-Forwarded-For", request.peer.ip_bytes),
        (b"X-Forwarded-Proto", request.scheme.encode()),
        (b"X-Forwarded-Method", request.method.encode()),
        (b"X-Forwarded-Host", host),
        (b"X-Forwarded-Uri", uri.encode("utf-8", "surrogateescape")),
    ]
    if with_port:
        made.append((b"X-Forwarded-Port", _port(request)))
    return made


def _port(request: Request) -> bytes:
    _, colon, port = request.authority.rpartition(":")
    if colon and port.isdigit():
        return port.encode()
    return b"443" if request.scheme == "https" else b"80"


def _replaced(headers: Headers, facts: list[tuple[bytes, bytes]]) -> Headers:
    names = {name.lower() for name, _ in facts}
    return Headers([*(pair for pair in headers if pair[0].lower() not in names), *facts])


def _ignore(_status: int, _headers: Any) -> None:
    """Interim answers of an authentication server are nobody's business."""
