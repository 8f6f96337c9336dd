"""``addPrefix``: text is put in front of the path."""

from dataclasses import dataclass
from urllib.parse import quote

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError

SAFE = "$&+,/:;=@"
"""What Go leaves unescaped in a path beside unreserved characters."""


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
    prefix = quote(options.prefix, safe=SAFE)
    if not prefix.startswith("/"):
        prefix = f"/{prefix}"

    def add_prefix(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            return await handler(request.evolve(path=prefix + request.path))

        return handle

    return add_prefix
