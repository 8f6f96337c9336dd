"""``contentType``: a missing content type is guessed from the first bytes."""

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Exchange, Request, Response
from edgerouter.middleware.answer import with_changed_page
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.sniff import sniff


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    auto_detect: bool | None = None
    """Deprecated: false switches the middleware off."""


class _Resumed:
    """A body of which the first bytes have been read already."""

    __slots__ = ("_body", "_first", "length", "trailers")

    def __init__(self, first: bytes, body: Body) -> None:
        self._first = first
        self._body = body
        self.length = body.length
        self.trailers = body.trailers

    async def read(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        chunk = await self._body.read()
        if not chunk:
            self.trailers = self._body.trailers
        return chunk

    def ready(self) -> bytes | None:
        rest = self._body.ready()
        if rest is None:
            return None
        first, self._first = self._first, b""
        self.trailers = self._body.trailers
        return first + rest

    def close(self) -> None:
        self._first = b""
        self._body.close()


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware."""
    if options.auto_detect is False:
        return lambda handler: handler
    if context.as_traefik:
        return lambda handler: partial(_as_traefik, handler)

    def content_type(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return handler(request) if request.method == "HEAD" else typed(request)

        async def typed(request: Request) -> Response:
            return await _typed(await handler(request))

        return handle

    return content_type


def _has_type(response: Response) -> bool:
    present = {name.lower() for name, _ in response.headers}
    return not present.isdisjoint((b"content-type", b"content-encoding"))


async def _as_traefik(handler: Handler, request: Request) -> Response:
    """Answer with types that are guessed, those of pages of failures too."""
    exchange = request.exchange
    response = await with_changed_page(handler, request, partial(_type_page, exchange))
    return response if request.method == "HEAD" else await typed_as_traefik(exchange, response)


def _type_page(exchange: Exchange, response: Response) -> None:
    """Give the page of a failure a type, unless it says itself what it is."""
    if whole := response.body.ready():
        response.body = FixedBody(whole)
        guess_as_traefik(exchange, response, whole)


def guess_as_traefik(exchange: Exchange, response: Response, content: bytes) -> None:
    """Give an answer without a type that of ``content``; note that it is a guess."""
    if not _has_type(response):
        exchange.is_guessed = True
        response.headers = response.headers.extended([(b"Content-Type", sniff(content))])


async def typed_as_traefik(exchange: Exchange, response: Response) -> Response:
    """Return what ``_typed`` does; note if it has guessed."""
    untyped = not _has_type(response)
    response = await _typed(response)
    exchange.is_guessed = exchange.is_guessed or (untyped and _has_type(response))
    return response


async def _typed(response: Response) -> Response:
    """Return ``response`` with the type that its first bytes speak for, if it has none.

    Raises:
        ExchangeError: The server broke off before it had sent any.
    """
    if response.tunnel is not None or _has_type(response):
        return response
    if response.status in (204, 304) or response.body.length == 0:
        return response
    whole = response.body.ready() if response.body.length is not None else None
    if whole is not None:
        first = whole
        response.body = FixedBody(whole)
    else:
        try:
            first = await response.body.read()
        except BaseException:
            response.close()
            raise
        response.body = _Resumed(first, response.body)
    if first:
        response.headers = response.headers.extended([(b"Content-Type", sniff(first))])
    return response
