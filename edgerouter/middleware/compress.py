"""``compress``: responses are compressed for clients that accept it.

Whole answers are compressed in one go and keep a length; what is still on its
way is compressed and flushed piece by piece as the server sends it. Streams
(``text/event-stream``, NDJSON, gRPC) are left alone unless
``includedContentTypes`` names them.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers, tokens
from edgerouter.http.message import Exchange, Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.encodings import CODERS, Coder, Negotiation
from edgerouter.middleware.mediatypes import MediaTypeError, media_type

_BODILESS = frozenset((204, 205, 206, 304))
"""Answers without content, and parts of one: their bytes are counted as they are."""
_STREAMS = frozenset(
    (
        "text/event-stream",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/stream+json",
    )
)
_GRPC = "application/grpc"
SLICE = 128 * 1024
"""Bytes that are compressed at once; a millisecond or so."""
_VARY = (b"Vary", b"Accept-Encoding")
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


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An encoding or a content type is not known, or both lists are given.
    """
    encodings = options.encodings or _ALL
    _check_encodings(encodings, options.default_encoding)
    types = _Types(options)
    negotiation = Negotiation(encodings, options.default_encoding)
    least = options.min_response_body_bytes if options.min_response_body_bytes > 0 else _LEAST

    def compress(handler: Handler) -> Handler:
        async def compressed(request: Request, encoding: str) -> Response:
            response = await handler(request)
            if response.tunnel is None:
                response.headers = Headers([_VARY, *response.headers])
                length = response.body.length
                if (length is None or length >= least) and _may_change(response, types):
                    _change(response, request.exchange, CODERS[encoding], least)
            return response

        def handle(request: Request) -> Awaitable[Response]:
            headers = request.headers
            encoding = negotiation.chosen(headers)
            if not encoding or request.method == "HEAD" or types.exclude_request(headers):
                return handler(request)
            return compressed(request, encoding)

        return handle

    return compress


def _check_encodings(encodings: tuple[str, ...], default: str) -> None:
    for encoding in encodings:
        if encoding not in CODERS:
            raise BuildError(f'encodings: "{encoding}" is none of gzip, br, zstd')
    if default and default not in encodings:
        raise BuildError(f'defaultEncoding: "{default}" is not among the encodings')


class _Types:
    """Which content types are compressed; what was decided is remembered."""

    def __init__(self, options: Options) -> None:
        if options.excluded_content_types and options.included_content_types:
            raise BuildError(
                "excludedContentTypes and includedContentTypes exclude each other; keep one"
            )
        self._included = _parsed("includedContentTypes", options.included_content_types)
        self._excluded = _parsed("excludedContentTypes", options.excluded_content_types)
        self._known: dict[bytes, bool] = {}

    def exclude_request(self, headers: Headers) -> bool:
        """Tell whether the type of the request's own content rules compression out."""
        value = headers.first(b"content-type")
        if value is None:
            return False
        try:
            kind = media_type(value.decode("latin-1"))
        except MediaTypeError:
            return False
        return kind == _GRPC or kind in self._excluded

    def allow(self, value: bytes | None) -> bool:
        """Tell whether content of the type ``value`` is compressed."""
        value = value or b""
        known = self._known.get(value)
        if known is None:
            if len(self._known) >= 256:
                self._known.clear()
            known = self._known[value] = self._decide(value.decode("latin-1"))
        return known

    def _decide(self, value: str) -> bool:
        if not value:
            return not self._included
        try:
            kind = media_type(value)
        except MediaTypeError:
            return False
        if self._included:
            return kind in self._included
        return kind not in self._excluded and kind not in _STREAMS and not kind.startswith(_GRPC)


def _parsed(option: str, types: tuple[str, ...]) -> frozenset[str]:
    found = set()
    for text in types:
        try:
            found.add(media_type(text))
        except MediaTypeError as error:
            raise BuildError(f"{option}: {error}") from None
    return frozenset(found)


def _may_change(response: Response, types: _Types) -> bool:
    if response.status in _BODILESS:
        return False
    kind = None
    for name, value in response.headers:
        lower = name.lower()
        if lower == b"content-type":
            kind = value
        elif lower in (b"content-encoding", b"content-range"):
            return False
        elif lower == b"cache-control" and b"no-transform" in tokens(value):
            return False  # RFC 9111, section 5.2.2.6.
    return types.allow(kind)


def _change(response: Response, exchange: Exchange, coder: Coder, least: int) -> None:
    """Compress the body of ``response``, unless it is all there and too small."""
    body = response.body
    whole = body.ready()
    if whole is not None:
        if len(whole) < least:
            response.body = _whole(whole, body)
            return
        if not body.trailers and len(whole) <= SLICE:
            exchange.origin_size = len(whole)
            response.headers = _head(response.headers, coder.name)
            response.body = FixedBody(coder.whole(whole))
            return
        body = _whole(whole, body)
    response.headers = _head(response.headers, coder.name)
    response.body = CompressedBody(body, coder, exchange)


def _whole(data: bytes, old: Body) -> FixedBody:
    body = FixedBody(data)
    body.trailers = old.trailers
    if old.length is None:
        body.length = len(data) if not old.trailers else None
    return body


def _head(headers: Headers, encoding: bytes) -> Headers:
    """Return the header for content in another encoding (RFC 9110, sections 8.4 and 8.8.3)."""
    fields = Headers()
    for name, value in headers:
        lower = name.lower()
        if lower == b"etag" and value.startswith(b'"'):
            value = b"W/" + value  # noqa: PLW2901 - the bytes differ, the meaning does not
        elif lower in (b"accept-ranges", b"content-length", b"content-md5", b"digest"):
            continue
        fields.append((name, value))
    fields.append((b"Content-Encoding", encoding))
    return fields


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
