"""``stripPrefix``: the first prefix that matches is removed from the path.

Prefixes are compared with the decoded path, as plain text: ``/foo`` also matches
``/foobar``. The server learns the prefix from ``X-Forwarded-Prefix``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.field_names import field_value
from edgerouter.middleware.urls import normal, without_prefix


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    prefixes: tuple[str, ...] = ()
    force_slash: bool = True
    """Deprecated: has no effect."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: A prefix holds a control character.
    """
    prefixes = [
        (prefix.encode("utf-8", "surrogateescape"), field_value(prefix, f"prefixes[{n}]"))
        for n, prefix in enumerate(map(str.strip, options.prefixes))
    ]

    def strip_prefix(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            for prefix, announced in prefixes:
                rest = without_prefix(request.path, prefix)
                if rest is not None:
                    headers = request.headers.extended([(b"X-Forwarded-Prefix", announced)])
                    request = request.evolve(path=normal(rest), headers=headers)
                    break
            return handler(request)

        return handle

    return strip_prefix
