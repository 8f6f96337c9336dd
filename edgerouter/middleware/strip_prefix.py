"""``stripPrefix``: the first prefix that matches is removed from the path.

Prefixes are compared with the decoded path, as plain text: ``/foo`` also matches
``/foobar``. The server learns the prefix from ``X-Forwarded-Prefix``.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from edgerouter.http.errors import BadRequest
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import SAFE_IN_PATH, BuildContext


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    prefixes: tuple[str, ...] = ()
    force_slash: bool = True
    """Deprecated: has no effect."""


class NotNormal(BadRequest):
    """The path without the prefix could mean another one."""

    page = "Bad Request\n"


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware."""
    prefixes = [
        (prefix.encode("utf-8", "surrogateescape"), prefix.strip().encode())
        for prefix in options.prefixes
    ]

    def strip_prefix(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            for prefix, announced in prefixes:
                rest = without_prefix(request.path, prefix)
                if rest is not None:
                    headers = request.headers.extended([(b"X-Forwarded-Prefix", announced)])
                    request = request.evolve(path=normal(rest), headers=headers)
                    break
            return await handler(request)

        return handle

    return strip_prefix


def without_prefix(path: str, prefix: bytes) -> str | None:
    """Return the percent-encoded ``path`` without the decoded ``prefix``, or None."""
    position = 0
    for byte in prefix:
        step = 3 if path.startswith("%", position) else 1
        part = path[position : position + step].encode("utf-8", "surrogateescape")
        if unquote_to_bytes(part) != bytes((byte,)):
            return None
        position += step
    return path[position:]


def normal(path: str) -> str:
    """Return what remains of a path as a path.

    Raises:
        NotNormal: It has empty or dot segments, so routers saw another path than the server
            would.
    """
    if path[:3].lower() == "%2f":
        # The slash is there, though encoded. Like Go, decode it with everything else.
        path = quote(unquote_to_bytes(path.encode("utf-8", "surrogateescape")), safe=SAFE_IN_PATH)
    path = path if path.startswith("/") else f"/{path}"
    segments = path[1:].split("/")
    if any(segment in ("", ".", "..") for segment in segments[:-1]) or segments[-1] in (".", ".."):
        raise NotNormal("the path without the prefix is not in normal form")
    return path
