"""``stripPrefixRegex``: a prefix that matches is removed from the path.

Expressions are compared with the decoded path. Only what the first match of an
expression finds at the very start of the path counts. The server learns the
prefix from ``X-Forwarded-Prefix``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.urls import announced, normal, without_prefix
from edgerouter.routing.regex import RegexError, compile_capturing


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: tuple[str, ...] = ()


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An expression cannot be used.
    """
    searches = []
    for index, expression in enumerate(options.regex):
        try:
            searches.append(compile_capturing(expression.strip()).search)
        except RegexError as error:
            raise BuildError(f"regex[{index}]: {error}") from None

    def strip_prefix_regex(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            path = request.path
            decoded = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
            for search in searches:
                match = search(decoded)
                prefix = decoded[: match.end()] if match and match.start() == 0 else b""
                rest = without_prefix(path, prefix) if prefix else None
                if rest is not None:
                    headers = request.headers.extended([announced(prefix)])
                    return handler(request.evolve(path=normal(rest), headers=headers))
            return handler(request)

        return handle

    return strip_prefix_regex
