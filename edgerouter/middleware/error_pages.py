"""``errorPages``: error pages that stand in the options, without a service for them.

They take the place of the server's answer and of the router's own failures
(no server, no connection, time-out). Not of Traefik; its ``errors`` asks a service.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from html import escape

from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.reasons import reason
from edgerouter.middleware.answer import answer
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.field_names import field_value
from edgerouter.observability import complaints

_PAGE = """<!doctype html>
<meta charset="utf-8"><title>{status} {reason}</title>
<h1>{status} {reason}</h1>
"""
_BODILESS = frozenset((204, 304))
"""Statuses of answers that can have no page."""
_OF_THE_BODY = (
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"content-range",
    b"etag",
    b"last-modified",
    b"date",
    b"accept-ranges",
)


@dataclass(frozen=True, slots=True)
class Options:
    """Options."""

    status: tuple[str, ...] = ("500-599",)
    """Statuses (``404``) and ranges of them."""
    page: str = ""
    """With ``{status}``, ``{reason}``, ``{host}`` and ``{requestId}``; empty: a short one."""
    pages: dict[str, str] = field(default_factory=dict)
    """Pages of their own for some statuses or ranges; they need not be in ``status``."""
    content_type: str = "text/html; charset=utf-8"


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: A status or the content type cannot be used.
    """
    pages = {code: options.page or _PAGE for text in options.status for code in _codes(text)}
    for text, page in options.pages.items():
        pages.update(dict.fromkeys(_codes(text), page))
    replaced = pages.keys() - _BODILESS
    content_type = (b"Content-Type", field_value(options.content_type, "contentType"))

    def page_of(status: int, request: Request) -> Response:
        body = _filled(pages[status], status, request)
        return answer(status, body.encode("utf-8", "replace"), [content_type])

    def error_pages(handler: Handler) -> Handler:
        async def answered(request: Request) -> Response:
            try:
                response = await handler(request)
            except ExchangeError as error:
                if error.status not in pages:
                    raise
                request.exchange.error = str(error)
                complaints.not_answered(request.exchange, error)
                made = page_of(error.status, request)
                if error.amend is not None:
                    made.headers = error.amend(made.headers)
                return made
            if response.status not in replaced or response.tunnel is not None:
                return response
            made = page_of(response.status, request)
            made.headers = Headers([*response.headers.without(*_OF_THE_BODY), *made.headers])
            response.close()
            return made

        def handle(request: Request) -> Awaitable[Response]:
            return answered(request)

        return handle

    return error_pages


def _filled(page: str, status: int, request: Request) -> str:
    facts = {
        "{status}": str(status),
        "{reason}": reason(status),
        "{host}": request.authority,
        "{requestId}": request.exchange.request_id,
    }
    for name, value in facts.items():
        page = page.replace(name, escape(value))
    return page


def _codes(text: str) -> range:
    """Return the statuses of ``404`` or ``500-599``.

    Raises:
        BuildError: It is neither.
    """
    first, dash, last = text.strip().partition("-")
    low, high = first.strip(), (last if dash else first).strip()
    if not all(part.isascii() and part.isdigit() and len(part) == 3 for part in (low, high)):
        raise BuildError(f"status: {text!r} is neither a status such as 404 nor a range: 500-599")
    if not 200 <= int(low) <= int(high):
        raise BuildError(f"status: {text!r}: from 200 on, the lower one first")
    return range(int(low), int(high) + 1)
