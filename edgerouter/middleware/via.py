"""``via``: the router names itself in ``Via`` (RFC 9110, section 7.6.3). Not of Traefik."""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import amended
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.field_names import field_name


@dataclass(frozen=True, slots=True)
class Options:
    """Options; all may be left out."""

    name: str = "edgerouter"
    in_request: bool = True
    in_response: bool = True


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: ``name`` is no token.
    """
    try:
        name = field_name(options.name, "name")
    except BuildError:
        raise BuildError(f"name: {options.name!r} is not one word such as gate-1") from None
    received = b"1.1 " + name

    def via(handler: Handler) -> Handler:
        def answered(request: Request) -> Awaitable[Response]:
            return amended(handler, request, lambda fields: _appended(fields, received))

        following = answered if options.in_response else handler

        def handle(request: Request) -> Awaitable[Response]:
            if options.in_request:
                hop = b"%d.%d %b" % (*request.version, name)
                request = request.evolve(headers=_appended(request.headers, hop))
            return following(request)

        return handle

    return via


def _appended(headers: Headers, hop: bytes) -> Headers:
    return headers.replaced(b"Via", b", ".join([*headers.all(b"via"), hop]))
