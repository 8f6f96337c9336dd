"""``replacePathRegex``: the path is rewritten by a regular expression.

The expression is compared with the path as it is encoded and every match is
replaced. The server learns the old path from ``X-Replaced-Path``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.urls import escaped_path, normal, replaced
from edgerouter.routing.regex import RegexError
from edgerouter.routing.replacement import Replacement


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: str = ""
    replacement: str = ""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The expression cannot be used.
    """
    try:
        replace = Replacement(options.regex.strip(), options.replacement.strip())
    except RegexError as error:
        raise BuildError(f"regex: {error}") from None
    for reference in replace.unknown:
        context.warn(f"replacement: {reference} is no group of the expression, so it stays empty")

    with_slash = not context.as_traefik

    def replace_path_regex(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            path = replace(request.path)
            if path is None:
                return handler(request)
            path = normal(escaped_path(path), with_slash=with_slash)
            return handler(replaced(request, path))

        return handle

    return replace_path_regex
