"""``redirectScheme``: the same URL with another scheme or port.

What the client used is taken from ``X-Forwarded-Proto`` if it is there, which is
only so when the peer is trusted, and if it is one of the schemes of HTTP and WebSockets.
A request that is right already goes on.
"""

import re
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.redirection import client_query, redirection
from edgerouter.middleware.urls import location

_URL = re.compile(r"^(https?://)?(\[[A-Za-z0-9_:.]+\]|[A-Za-z0-9_.-]+)?(:[0-9]+)?(.*)$", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*):([^:]*)")
_IPV6_WITH_PORT = re.compile(r"\[[^\]]*\]:[0-9]*").fullmatch
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}
_SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    scheme: str = ""
    port: str = ""
    permanent: bool = False


class NoLocation(ExchangeError):
    """What Traefik makes of an IPv6 host with a port is no URL; ``edgerouter.compat=traefik``."""

    status = 502


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no scheme, or it or the port is none.
    """
    if not options.scheme:
        raise BuildError("scheme: must not be empty; write http or https")
    if mistake := _mistake(options):
        context.refuse(mistake)
    scheme, number = options.scheme, options.port
    if not context.as_traefik:
        scheme, number = scheme.lower(), number.lstrip("0")
    standard = not number or (scheme, number) in _DEFAULT_PORTS
    port = "" if standard else f":{number}"

    def redirect_scheme(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            old = client_url(request)
            parts = _URL.fullmatch(old)
            if parts is None:
                return handler(request)
            if context.as_traefik and _IPV6_WITH_PORT(request.authority):
                raise NoLocation("the brackets of the host are lost, as in Traefik")
            new = f"{scheme}://{parts[2] or ''}{port}{parts[4]}"
            if new == old:
                return handler(request)
            return _redirect(request, location(new) if context.as_traefik else new)

        def _redirect(request: Request, new: str) -> Response:
            return redirection(request, new, permanent=options.permanent)

        return handle

    return redirect_scheme


def _mistake(options: Options) -> str:
    """Return why scheme and port make no URL that can be asked, empty if they do."""
    scheme, port = options.scheme, options.port
    if not _SCHEME(scheme):
        return f"scheme: {scheme!r} is no scheme; write http or https"
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if port and not 0 < number < 65536:
        return f"port: {port!r} is not between 1 and 65535; write 443 for example"
    return ""


def client_url(request: Request) -> str:
    """Return the URL as the client wrote it, without a default port."""
    forwarded = request.headers.first(b"x-forwarded-proto") or b""
    scheme = _SCHEMES.get(forwarded.lower(), request.scheme)
    split = _AUTHORITY.fullmatch(request.authority)
    host, port = (split[1], split[2]) if split else (request.authority, "")
    explicit = f":{port}" if split and (scheme, port) not in _DEFAULT_PORTS else ""
    return f"{scheme}://{host}{explicit}{request.path}{client_query(request)}"
