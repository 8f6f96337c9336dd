"""``grpcWeb``: gRPC-Web clients reach gRPC servers.

Requests become plain gRPC; trailers come back to the client as the last frame of
the content, and as Base64 for ``application/grpc-web-text``. An answer without
trailers has its status in the header, so it gets no frame, and one that is not gRPC
(the page of an error) stays what it is. Browsers of allowed origins get their CORS answers.
"""

import base64
import binascii
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from edgerouter.http.body import NO_TRAILERS, Body, FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.errors import BadRequest
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers, tokens
from edgerouter.http.message import Exchange, Request, Response
from edgerouter.middleware.answer import amended, with_changed_page
from edgerouter.middleware.base import BuildContext

_WEB = b"application/grpc-web"
_TEXT = b"application/grpc-web-text"
_GRPC = b"application/grpc"
_PREFLIGHT_VARY = [
    (b"Vary", b"Origin"),
    (b"Vary", b"Access-Control-Request-Method"),
    (b"Vary", b"Access-Control-Request-Headers"),
]
_EXPOSED = b"access-control-expose-headers"
_TRAILERS_FRAME = b"\x80"
"""The flag byte of the frame that holds the trailers."""


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    allow_origins: tuple[str, ...] = ()


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware."""
    origins = frozenset(origin.encode() for origin in options.allow_origins)

    def grpc_web(handler: Handler) -> Handler:
        async def translated(request: Request) -> Response:
            kind = request.headers.first(b"content-type") or b""
            as_text = kind.startswith(_TEXT)
            is_grpc = False

            def change(headers: Headers) -> Headers:
                nonlocal is_grpc
                is_grpc = (headers.first(b"content-type") or b"").startswith(_GRPC)
                return _allowing(_web_header(headers, kind), request, origins)

            asking = _plain_grpc(request, kind, as_text=as_text)
            asked = handler
            if context.as_traefik:
                frame = partial(_frame_page, request.exchange, as_text=as_text)
                asked = partial(with_changed_page, handler, change=frame)
            response = await amended(asked, asking, change)
            body = response.body
            # With a length there are no trailers.
            changes = body.length is None or (as_text and body.length > 0)
            if changes and response.tunnel is None and (is_grpc or context.as_traefik):
                response.body = WebBody(
                    body, request.exchange, as_text=as_text, as_traefik=context.as_traefik
                )
            return response

        async def preflight(request: Request) -> Response:
            return _preflight(request, origins)

        def handle(request: Request) -> Awaitable[Response]:
            if request.method == "POST":
                kind = request.headers.first(b"content-type")
                if kind is not None and kind.startswith(_WEB):
                    return translated(request)
            elif request.method == "OPTIONS" and _is_preflight(request.headers):
                return preflight(request)
            return handler(request)

        return handle

    return grpc_web


def _is_preflight(headers: Headers) -> bool:
    asked = headers.first(b"access-control-request-headers")
    if asked is None or headers.first(b"access-control-request-method") is None:
        return False
    return b"x-grpc-web" in tokens(asked)


def _allowed(origin: bytes | None, origins: frozenset[bytes]) -> bool:
    return bool(origin) and (b"*" in origins or origin in origins)


def _preflight(request: Request, origins: frozenset[bytes]) -> Response:
    origin = request.headers.first(b"origin")
    headers = Headers([(b"Date", http_date()), *_PREFLIGHT_VARY])
    if origin is not None and _allowed(origin, origins):
        asked = tokens(request.headers.first(b"access-control-request-headers") or b"")
        method = request.headers.first(b"access-control-request-method") or b""
        headers += [
            (b"Access-Control-Allow-Origin", origin),
            (b"Access-Control-Allow-Methods", method.upper()),
            (b"Access-Control-Allow-Headers", b", ".join([name.title() for name in asked])),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Access-Control-Max-Age", b"600"),
        ]
    return Response(200, headers)


def _plain_grpc(request: Request, kind: bytes, *, as_text: bool) -> Request:
    headers = request.headers.without(b"content-type", b"x-grpc-web")
    headers.append((b"Content-Type", _GRPC + kind[len(_TEXT if as_text else _WEB) :]))
    headers.append((b"TE", b"trailers"))
    if as_text:
        return request.evolve(headers=headers, body=DecodedBody(request.body))
    return request.evolve(headers=headers)


def _web_header(headers: Headers, wanted: bytes) -> Headers:
    fields = Headers()
    web = _TEXT if wanted.startswith(_TEXT) else _WEB
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-type" and value.startswith(_GRPC):
            fields.append((name, web + value[len(_GRPC) :]))
        elif lower != b"trailer":
            fields.append((name, value))
    return fields


def _allowing(headers: Headers, request: Request, origins: frozenset[bytes]) -> Headers:
    """Return ``headers`` with those of CORS; names are shown to scripts whoever asks."""
    origin = request.headers.first(b"origin")
    headers = headers.without(_EXPOSED)
    headers.append((b"Vary", b"Origin"))
    if origin is not None and _allowed(origin, origins):
        headers.append((b"Access-Control-Allow-Origin", origin))
        headers.append((b"Access-Control-Allow-Credentials", b"true"))
    names = dict.fromkeys(name.title() for name, _ in headers if name.lower() != b"date")
    exposed = b", ".join([*names, b"grpc-status", b"grpc-message"])
    headers.append((b"Access-Control-Expose-Headers", exposed))
    return headers


def _frame_page(exchange: Exchange, page: Response, *, as_text: bool) -> None:
    """Do to the page of a failure what Traefik does: a frame of no trailers ends it."""
    whole = (page.body.ready() or b"") + trailers_frame(NO_TRAILERS)
    page.body = WebBody(FixedBody(whole), exchange, as_text=as_text)
    if not page.headers.has(b"content-type"):
        exposed = (page.headers.first(_EXPOSED) or b"") + b", Content-Type"
        page.headers = page.headers.replaced(_EXPOSED, exposed)


class DecodedBody:
    """A request body in Base64, possibly in several padded pieces."""

    __slots__ = ("_body", "_rest", "length", "trailers")

    def __init__(self, body: Body) -> None:
        self._body = body
        self._rest = b""
        self.length: int | None = None if body.length != 0 else 0
        self.trailers = NO_TRAILERS

    async def read(self) -> bytes:
        while data := await self._body.read():
            data = self._rest + data
            whole = len(data) - len(data) % 4
            self._rest = data[whole:]
            if whole:
                return decoded(data[:whole])
        if self._rest:
            raise BadRequest("the gRPC-Web text ends in the middle of a Base64 group")
        return b""

    def ready(self) -> bytes | None:
        return b"" if self.length == 0 else None

    def close(self) -> None:
        self._body.close()


def decoded(data: bytes) -> bytes:
    """Return what ``data``, whole groups of Base64 with padding anywhere, stands for.

    Raises:
        BadRequest: It is no Base64.
    """
    parts = []
    position = 0
    try:
        while position < len(data):
            padding = data.find(b"=", position)
            end = len(data) if padding < 0 else padding - padding % 4 + 4
            parts.append(base64.b64decode(data[position:end], validate=True))
            position = end
    except binascii.Error as error:
        raise BadRequest(f"the gRPC-Web text is no Base64: {error}") from None
    return b"".join(parts)


class WebBody:
    """An answer with its trailers, if any, as the last frame, and as Base64 if need be."""

    __slots__ = ("_as_text", "_body", "_ended", "_exchange", "_is_framed", "length", "trailers")

    def __init__(
        self, body: Body, exchange: Exchange, *, as_text: bool, as_traefik: bool = False
    ) -> None:
        self._body = body
        self._exchange = exchange
        self._as_text = as_text
        self._is_framed = as_traefik
        """Whether there is a frame even without trailers."""
        self._ended = False
        self.length: int | None = None
        self.trailers = NO_TRAILERS

    async def read(self) -> bytes:
        if self._ended:
            return b""
        data = await self._body.read()
        self._exchange.origin_size += len(data)
        if not data:
            self._ended = True
            if self._body.trailers or self._is_framed:
                data = trailers_frame(self._body.trailers)
        return base64.b64encode(data) if self._as_text else data

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._body.close()


def trailers_frame(trailers: Headers) -> bytes:
    """Return the frame that stands for ``trailers``."""
    block = b"".join([b"%b: %b\r\n" % (name.lower(), value) for name, value in trailers])
    return _TRAILERS_FRAME + len(block).to_bytes(4, "big") + block
