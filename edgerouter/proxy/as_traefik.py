"""Forwarding with ``edgerouter.compat=traefik``: what Go's client does to requests and answers."""

import zlib

from edgerouter.http.body import NO_TRAILERS, Body
from edgerouter.http.canonical import canonical
from edgerouter.http.errors import (
    NotTrusted,
    NotTrustedAsTraefik,
    UpstreamCut,
    UpstreamProtocolError,
)
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.proxy.forward import Target

_GZIP = 16 + zlib.MAX_WBITS
_ADDED = (b"accept-encoding", b"gzip")
"""What Go's client adds of its own, behind all other fields; they are spelt with capitals."""
_PLACES = {
    b"User-Agent": 0,
    b"Content-Length": 1,
    b"Transfer-Encoding": 1,
    b"Trailer": 2,
    _ADDED[0]: 4,
}
"""Where Go's client writes a field; all others come third, by their names."""
_STEP = 256 * 1024
"""Bytes that are unpacked at a time."""


class TraefikTarget(Target):
    """A server that is asked as Traefik asks it."""

    __slots__ = ()

    async def __call__(self, request: Request) -> Response:
        dropped = {*request.exchange.hop_fields, b"user-agent"}
        agent = request.headers.first(b"user-agent")
        headers = canonical(
            (name, value) for name, value in request.headers if name.lower() not in dropped
        )
        if agent:  # Go sends the first of several, and none that is empty.
            headers.append((b"User-Agent", agent))
        if request.upgrade:
            headers = Headers([(_websocket(name), value) for name, value in headers])
        unpacks = request.method != "HEAD" and not (
            headers.first(b"accept-encoding") or headers.first(b"range")
        )
        if unpacks:
            headers.append(_ADDED)
        try:
            response = await super().__call__(request.evolve(headers=headers))
        except UpstreamCut as error:
            raise UpstreamProtocolError(str(error)) from error
        except NotTrusted as error:
            raise NotTrustedAsTraefik(str(error)) from error
        length = response.body.length
        request.exchange.said_length = -1 if length is None else length
        if unpacks and _is_packed(response):
            response.headers = response.headers.without(b"content-encoding")
            response.body = Unpacked(response.body)
        return response

    def _head(self, request: Request) -> bytes:
        """Return the head with its fields in the order in which Go writes them."""
        first, host, *fields = super()._head(request)[:-4].split(b"\r\n")
        fields.sort(key=_place)
        head = b"\r\n".join((first, host, *fields, b"\r\n"))
        return head.replace(b"\r\naccept-encoding:", b"\r\nAccept-Encoding:")

    def _joined(self, chain: tuple[bytes, ...]) -> bytes:
        """Return the fields there are, empty ones too, and the peer as one value."""
        return b", ".join(chain)


def _place(field: bytes) -> tuple[int, bytes]:
    name = field.partition(b":")[0]
    return _PLACES.get(name, 3), name


def _websocket(name: bytes) -> bytes:
    """Spell the fields of WebSocket requests as their RFC does, and so Traefik."""
    return name.replace(b"Sec-Websocket-", b"Sec-WebSocket-", 1)


def _is_packed(response: Response) -> bool:
    coding = response.headers.first(b"content-encoding") or b""
    has_content = response.status not in (204, 304) and response.body.length != 0
    return has_content and response.tunnel is None and coding.lower() == b"gzip"


class Unpacked:
    """A body without its gzip coding."""

    __slots__ = ("_inner", "_unpacker", "length", "trailers")

    def __init__(self, inner: Body) -> None:
        self._inner = inner
        self._unpacker = zlib.decompressobj(_GZIP)
        self.length: int | None = None
        self.trailers = NO_TRAILERS

    async def read(self) -> bytes:
        """Return the next bytes, an empty string at the end.

        Raises:
            ExchangeError: The server broke off, or its body is not gzip.
        """
        while True:
            waiting = self._unpacker.unconsumed_tail or self._next_member()
            data = waiting or await self._inner.read()
            if not data:
                if not self._unpacker.eof:
                    message = "the server's gzip body has no end"
                    raise UpstreamProtocolError(message)
                self.trailers = self._inner.trailers
                return b""
            try:
                if content := self._unpacker.decompress(data, _STEP):
                    return content
            except zlib.error as error:
                message = f"the server's body is not gzip: {error}"
                raise UpstreamProtocolError(message) from error

    def _next_member(self) -> bytes:
        """Return what stands behind the end of a member (RFC 1952, section 2.2)."""
        rest = self._unpacker.unused_data
        if rest:
            self._unpacker = zlib.decompressobj(_GZIP)
        return rest

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._inner.close()
