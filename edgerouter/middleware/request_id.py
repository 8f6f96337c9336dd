"""``requestId``: every request has an identifier, for the server, the client and the access log.

A trusted peer's identifier is kept, any other is replaced. Not of Traefik.
"""

import os
import re
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import amended
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.field_names import written_name

_SOUND = re.compile(rb"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Options:
    """Options; all may be left out."""

    header: str = "X-Request-ID"
    in_response: bool = True
    """Whether the client gets the identifier, too."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: ``header`` is no header name, or one that the router itself sets.
    """
    name = written_name(options.header, "header")
    folded = name.lower()

    def request_id(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            given = request.headers.first(folded) if request.peer.trusted else None
            if given is not None and _SOUND.fullmatch(given):
                identifier = given
            else:
                identifier = os.urandom(16).hex().encode()
            request = request.evolve(headers=request.headers.replaced(name, identifier))
            request.exchange.request_id = identifier.decode()
            if options.in_response:
                return amended(handler, request, lambda fields: fields.replaced(name, identifier))
            return handler(request)

        return handle

    return request_id
