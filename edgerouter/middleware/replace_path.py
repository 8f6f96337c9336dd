"""``replacePath``: the path is replaced.

The server learns the old one from ``X-Replaced-Path``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.urls import bad_escape, escaped_path, replaced


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    path: str = ""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The path cannot be one.
    """
    bad = bad_escape(options.path)
    if bad is not None:
        raise BuildError(f'path: "{bad}" is not an escape; write a percent sign as %25')
    path = escaped_path(options.path) or "/"
    if not path.startswith("/"):
        raise BuildError(f'path: "{options.path}" must begin with a slash')

    def replace_path(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return handler(replaced(request, path))

        return handle

    return replace_path
