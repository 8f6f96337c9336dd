"""``maintenance``: everybody but some addresses gets a page that says to come back later.

Not of Traefik.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from edgerouter.config.types import Duration
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.addresses import address_set
from edgerouter.middleware.answer import answer, status_text
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.field_names import field_value

_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Maintenance</title>
<h1>We will be back soon</h1>
<p>This service is being maintained. Please try again in a moment.</p>
"""


@dataclass(frozen=True, slots=True)
class Options:
    """Options; all may be left out."""

    enabled: bool = True
    page: str = ""
    """The whole page; empty: a short one in English."""
    content_type: str = "text/html; charset=utf-8"
    status: int = 503
    retry_after: Duration = 60.0
    """0: no ``Retry-After``."""
    allowed_ips: tuple[str, ...] = field(default=(), metadata={"alias": "allowedIPs"})
    """Who passes all the same: addresses and networks in CIDR form."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The status, the content type or an address cannot be used.
    """
    allowed = address_set(options.allowed_ips, "allowedIPs")
    status_text(options.status, "status")
    headers = [
        (b"Content-Type", field_value(options.content_type, "contentType")),
        (b"Cache-Control", b"no-store"),
    ]
    if options.retry_after > 0:
        headers.append((b"Retry-After", b"%d" % round(options.retry_after)))
    body = (options.page or _PAGE).encode()
    if not options.enabled:
        return lambda handler: handler

    def refuse() -> Response:
        return answer(options.status, body, headers)

    def maintenance(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return handler(request) if request.peer.ip in allowed else refuse()

        return handle

    return maintenance
