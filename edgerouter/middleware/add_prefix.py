"""``addPrefix``: text is put in front of the path."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import SAFE_IN_PATH, BuildContext, BuildError

_VALID_ESCAPED = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/\[\]-]*").fullmatch
"""Text that is a path as it stands (Go's ``validEncoded`` without escapes)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    prefix: str = ""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The prefix is empty.
    """
    if not options.prefix:
        raise BuildError("prefix: must not be empty")
    prepend = prepending(options.prefix)

    def add_prefix(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return handler(request.evolve(path=prepend(request.path)))

        return handle

    return add_prefix


def prepending(prefix: str) -> Callable[[str], str]:
    """Return the function that puts ``prefix`` (not encoded) in front of an encoded path.

    The path keeps its escapes if the prefix needs none; otherwise both are escaped anew from
    their decoded form, unless that changes nothing in the path (Go's ``URL.EscapedPath``).
    """
    prefix = prefix if prefix.startswith("/") else f"/{prefix}"
    escaped = quote(prefix, safe=SAFE_IN_PATH)
    if escaped == prefix:
        return lambda path: prefix + path

    def prepend(path: str) -> str:
        decoded = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
        standard = quote(decoded, safe=SAFE_IN_PATH)
        return prefix + path if path != standard and _VALID_ESCAPED(prefix) else escaped + standard

    return prepend
