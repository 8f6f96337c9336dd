"""``replacePath``: the path is replaced.

The server learns the old one from ``X-Replaced-Path``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.urls import BadEscape, bad_escape, escaped_path, replaced


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    path: str = ""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The path cannot be one.
    """
    bad = bad_escape(options.path)
    path = "/"
    if bad is not None:
        context.refuse(f'path: "{bad}" is not an escape; write a percent sign as %25')
    elif options.path:
        path = escaped_path(options.path)
        if not path.startswith("/"):
            context.refuse(f'path: "{options.path}" must begin with a slash')

    def replace_path(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            if bad is not None:
                raise BadEscape(bad)
            return handler(replaced(request, path))

        return handle

    return replace_path
