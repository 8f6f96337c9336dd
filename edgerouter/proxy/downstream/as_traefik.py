"""The border with ``edgerouter.compat=traefik``: what Go's server does, and Traefik in it.

Go tells a client of HTTP/1.0 of interim answers, too, guesses the type of what comes behind them,
and keeps the connection where a handler of the entry point, not the server, refuses a request.
"""

import asyncio
from collections.abc import Iterable

from edgerouter.http.date import http_date
from edgerouter.http.errors import BadRequest
from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request, Response
from edgerouter.middleware.content_type import guess_as_traefik, typed_as_traefik
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.h1 import DownstreamH1
from edgerouter.proxy.downstream.head import HeadReader, RefusedName, RequestHead
from edgerouter.proxy.downstream.parser import HeadParser
from edgerouter.proxy.downstream.target import Fragment
from edgerouter.proxy.downstream.writer import interim_head_as_traefik, response_head_as_traefik
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.errorpage import error_response

_PREFACE = b"PRI * HTTP/2.0"
"""What Go compares the first bytes of a connection without TLS with, before it reads a line."""


class TraefikH1(DownstreamH1):
    """A client's connection."""

    _has_informed = False
    """Whether the client has got an interim answer to its present request."""
    _is_old = False
    """Whether that request is HTTP/1.0."""

    def _make_readers(self, loop: asyncio.AbstractEventLoop) -> tuple[HeadReader, HeadParser]:
        entrypoint, peer = self._entrypoint, self._peer
        limit, least = entrypoint.max_header_bytes, 0 if peer.tls else len(_PREFACE)
        heads = HeadParser(loop, limit, as_traefik=True, least=least)
        return TraefikHeadReader(entrypoint, peer), heads

    def _answer(self, request: Request) -> None:
        self._has_informed = False
        self._is_old = request.version < (1, 1)
        if self._is_old:
            self._must_continue = False  # Only a server may ask such a client for the body.
        request.inform = self._pass_on
        refusal = request.exchange.refusal
        if refusal is None:
            super()._answer(request)
            return
        request.exchange.error = str(refusal)
        self._task = self._loop.create_task(self._serve(request, _refused(refusal)))

    def _pass_on(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Send an interim response to whatever client; tell whether it has read all before it."""
        if self._head_sent or self._transport.is_closing():
            return False
        if status == 100:
            self._must_continue = False
        self._has_informed = True
        has_read_all = not self._transport.get_write_buffer_size()
        self._transport.write(interim_head_as_traefik(status, headers, old=self._is_old))
        return has_read_all

    def _head(self, request: Request, response: Response) -> bytes:
        if request.expects_continue and not self._is_old and request.body.ready():
            self._keep_alive = False  # Go leaves a body alone that it has not asked for.
        return response_head_as_traefik(
            response,
            request.method,
            request.version,
            keep_alive=self._keep_alive,
            said_length=request.exchange.said_length,
            is_guessed=request.exchange.is_guessed,
        )

    def _switch_head(self, response: Response) -> bytes:
        return response_head_as_traefik(response, "GET", (1, 1), keep_alive=True)

    def _write_whole(self, request: Request, response: Response, data: bytes) -> None:
        if self._has_informed:
            content = data or response.body.ready()  # Go looks at that of HEAD, too.
            if content:
                guess_as_traefik(request.exchange, response, content)
        super()._write_whole(request, response, data)

    async def _stream(self, request: Request, response: Response) -> None:
        # Of a body without a length Go sends the head first, or not, as it happens.
        if self._has_informed and response.body.length is not None:
            response = await typed_as_traefik(request.exchange, response)
        await super()._stream(request, response)


class TraefikHeadReader(HeadReader):
    """Makes requests of what Go's server has taken, also of those that Traefik will refuse."""

    __slots__ = ("_refusal",)

    def __init__(self, entrypoint: EntryPoint, peer: Peer) -> None:
        super().__init__(entrypoint, peer)
        self._refusal: BadRequest | None = None

    def read(self, found: Head) -> RequestHead:
        head = super().read(found)
        head.request.exchange.refusal, self._refusal = self._refusal, None
        return head

    def _keeps_name(self, kind: int, name: bytes) -> bool:
        try:
            return super()._keeps_name(kind, name)
        except RefusedName as error:
            self._refusal = error
            return False

    def _read_target(self, request: Request, authority: bytes) -> None:
        try:
            super()._read_target(request, authority)
        except Fragment as error:
            self._refusal = self._refusal or error  # Names are looked at first.
            target = request.target
            request.target = target.partition("#")[0]
            super()._read_target(request, authority)
            request.target = target


def _refused(error: BadRequest) -> Response:
    """Return the answer of the handler that refuses a request for ``error``."""
    if error.as_traefik is None:
        return Response(error.status, Headers([(b"Date", http_date())]))
    return error_response(error.status, error.as_traefik)
