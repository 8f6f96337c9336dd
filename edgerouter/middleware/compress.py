"""``compress``: responses are compressed for clients that accept it.

Whole answers are compressed in one go and keep a length; what is still on its
way is compressed and flushed piece by piece as the server sends it. Streams
(``text/event-stream``, NDJSON, gRPC) are left alone unless
``includedContentTypes`` names them.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Exchange, Request, Response
from edgerouter.middleware.answer import with_changed_page
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.compress_rules import Rules, RulesAsTraefik
from edgerouter.middleware.encodings import CODERS, Coder, Negotiation

SLICE = 128 * 1024
"""Bytes that are compressed at once; a millisecond or so."""
_LEAST = 1024
_ALL = ("gzip", "br", "zstd")


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    excluded_content_types: tuple[str, ...] = ()
    included_content_types: tuple[str, ...] = ()
    min_response_body_bytes: int = 1024
    encodings: tuple[str, ...] = _ALL
    default_encoding: str = ""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An encoding or a content type is not known, or both lists are given.
    """
    encodings = options.encodings or _ALL
    _check_encodings(encodings, options.default_encoding)
    as_traefik = context.as_traefik
    kind = RulesAsTraefik if as_traefik else Rules
    rules = kind(options.included_content_types, options.excluded_content_types)
    negotiation = Negotiation(encodings, options.default_encoding, as_traefik=as_traefik)
    least = options.min_response_body_bytes if options.min_response_body_bytes > 0 else _LEAST

    def compress(handler: Handler) -> Handler:
        def change(request: Request, encoding: str, response: Response) -> None:
            if response.tunnel is None:
                rules.mark(response)
                length = response.body.length
                if (length is None or length >= least) and rules.admit(response, encoding):
                    _change(response, request.exchange, CODERS[encoding], rules, least)

        async def compressed(request: Request, encoding: str) -> Response:
            response = await handler(request)
            change(request, encoding, response)
            return response

        async def compressed_as_traefik(request: Request, encoding: str) -> Response:
            page = partial(change, request, encoding)
            response = await with_changed_page(handler, request, page)
            change(request, encoding, response)
            return response

        following = compressed_as_traefik if as_traefik else compressed

        def handle(request: Request) -> Awaitable[Response]:
            headers = request.headers
            encoding = negotiation.chosen(headers)
            if not encoding or request.method == "HEAD" or rules.exclude_request(headers):
                return handler(request)
            return following(request, encoding)

        return handle

    return compress


def _check_encodings(encodings: tuple[str, ...], default: str) -> None:
    for encoding in encodings:
        if encoding not in CODERS:
            raise BuildError(f'encodings: "{encoding}" is none of gzip, br, zstd')
    if default and default not in encodings:
        raise BuildError(f'defaultEncoding: "{default}" is not among the encodings')


def _change(response: Response, exchange: Exchange, coder: Coder, rules: Rules, least: int) -> None:
    """Compress the body of ``response``, unless it is all there and too small."""
    body = response.body
    whole = body.ready()
    if whole is not None:
        enough = 1 if rules.small_chunked and body.length is None else least
        if len(whole) < enough:
            response.body = _whole(whole, body)
            return
        if not body.trailers and len(whole) <= SLICE:
            exchange.origin_size = len(whole)
            response.headers = rules.head(response.headers, coder.name)
            response.body = FixedBody(coder.whole(whole))
            return
        body = _whole(whole, body)
    response.headers = rules.head(response.headers, coder.name)
    response.body = CompressedBody(body, coder, exchange)


def _whole(data: bytes, old: Body) -> FixedBody:
    body = FixedBody(data)
    body.trailers = old.trailers
    if old.length is None:
        body.length = len(data) if not old.trailers else None
    return body


class CompressedBody:
    """A body that is compressed as it comes, every piece flushed."""

    __slots__ = ("_body", "_exchange", "_rest", "_stream", "length", "trailers")

    def __init__(self, body: Body, coder: Coder, exchange: Exchange) -> None:
        self._body = body
        self._exchange = exchange
        self._stream = coder.stream()
        self._rest = b""
        self.length: int | None = None
        self.trailers = body.trailers

    async def read(self) -> bytes:
        stream = self._stream
        if stream is None:
            return b""
        if self._rest:
            await asyncio.sleep(0)  # Others have their turn between two slices.
        data = self._rest or await self._body.read()
        if data:
            data, self._rest = data[:SLICE], data[SLICE:]
            self._exchange.origin_size += len(data)
            return stream.flushed(data)
        self._stream = None
        self.trailers = self._body.trailers
        return stream.end()

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._rest = b""
        self._body.close()
