"""HTTP/1.1 towards clients (RFC 9112): one instance per connection.

Heads come from ``parser.py``, bodies are framed by ``proxy/framing.py``. One
exchange at a time: what a client pipelines waits, with reading paused when it
is much. The task of an exchange is owned here and cancelled when the client
goes away. Counterpart towards servers: ``proxy/upstream/h1.py``.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial

from edgerouter.http.body import EMPTY
from edgerouter.http.errors import (
    BadRequest,
    BodyLateAsTraefik,
    BodyMalformedAsTraefik,
    ClientDisconnected,
    ExchangeError,
    RequestTimeout,
)
from edgerouter.http.message import Peer, Request, Response, nowhere
from edgerouter.http.tls import TlsFacts
from edgerouter.http.tunnel import Tunnel
from edgerouter.observability import complaints
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.downstream.deadline import Deadline
from edgerouter.proxy.downstream.head import HeadReader, RequestHead
from edgerouter.proxy.downstream.parser import HeadParser
from edgerouter.proxy.downstream.writer import (
    CONTINUE,
    chunk,
    ignore_interim,
    interim_head,
    last_chunk,
    ready_content,
    refusal,
    response_head,
)
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.flow import FlowControlled
from edgerouter.proxy.framing import ChunkedBody, FramingError, IncomingBody, LengthBody
from edgerouter.proxy.tunnel import DownstreamTunnel, pump

PIPELINE_LIMIT = 64 * 1024
"""Bytes of pipelined requests that may wait before reading is paused."""
WRITE_HIGH_WATER = 256 * 1024
LINGER_SECONDS = 2.0
"""How long to swallow what a client still sends after we have answered and closed."""


class DownstreamH1(FlowControlled):
    """A client's connection."""

    def __init__(
        self,
        entrypoint: EntryPoint,
        connections: Connections,
        loop: asyncio.AbstractEventLoop,
        client: tuple[str, int],
        opened: float,
        tls: TlsFacts | None = None,
    ) -> None:
        super().__init__()
        self._entrypoint = entrypoint
        self._as_traefik = entrypoint.as_traefik
        self._connections = connections

        # Per connection.
        trusted = client[0] in entrypoint.forwarded.trusted
        self._peer = peer = Peer(*client, entrypoint.name, trusted=trusted, tls=tls)
        peer.appends_forwarded_for = entrypoint.append_forwarded_for
        peer.look = self.look
        self._reader, self._heads = self._make_readers(loop)
        self._pending = b""
        self._deadline = Deadline(loop, self._expired)
        too_late = partial(self.abort, "the answer took longer than writeTimeout")
        self._answer_deadline = Deadline(loop, too_late) if entrypoint.write_timeout else None
        self._opened = opened
        self._requests = 0
        self._lingering = False

        # Per exchange.
        self._task: asyncio.Task[None] | None = None
        self._body: IncomingBody | None = None
        self._tunnel: DownstreamTunnel | None = None
        self._upstream: Tunnel | None = None
        self._keep_alive = True
        self._must_continue = False
        self._waiting_head = b""
        self._head_sent = False

    def _make_readers(self, loop: asyncio.AbstractEventLoop) -> tuple[HeadReader, HeadParser]:
        """Return what makes requests of heads, and what finds heads."""
        entrypoint = self._entrypoint
        return HeadReader(entrypoint, self._peer), HeadParser(loop, entrypoint.max_header_bytes)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._connections.add(self)
        self._deadline.set(self._entrypoint.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._deadline.cancel()
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()
        self._peer.look = nowhere
        if self._body is not None:
            self._body.fail(ClientDisconnected("the client closed the connection"))
        if self._tunnel is not None:
            self._tunnel.lost()
        self._cancel()
        self.resume_writing()

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            self._tunnel.feed_eof()
            return True
        self._cancel()  # Closing could wait for ever for the client to read.
        return False  # Closes the transport: a client that says goodbye wants no answer.

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.feed(data)
        elif self._lingering:
            pass
        elif self._body is not None:
            self._feed_body(data)
        elif self._task is not None:
            self._pending += data
            if len(self._pending) > PIPELINE_LIMIT:
                self._pause()
        else:
            self._read_head(data)

    # Heads.

    def _read_head(self, data: bytes) -> None:
        under_way = self._heads.size
        try:
            found = self._heads.feed(data)
            if not under_way and (found is None or self._entrypoint.read_timeout is not None):
                self._deadline.set(self._entrypoint.head_timeout)
            if found is not None:
                self._begin(*found)
        except ExchangeError as error:
            self._refuse(error)

    def _begin(self, found: Head, rest: bytes) -> None:
        """Start the exchange of a complete head; ``rest`` is what came behind it.

        Raises:
            ExchangeError: The request must be refused.
        """
        self._requests += 1
        self._keep_alive = found.keep_alive
        head = self._reader.read(found)
        request = head.request
        request.inform = self._inform if found.version >= (1, 1) else ignore_interim
        if self._entrypoint.wants_close(self._requests, self._loop.time() - self._opened):
            self._keep_alive = False
        self._head_sent = False
        self._must_continue = False
        if head.chunked or head.length:
            self._begin_body(head, rest)
        elif rest:
            self._pending = rest
        if self._answer_deadline is not None:
            self._answer_deadline.set(self._entrypoint.write_timeout)
        if self._body is None:
            self._deadline.clear()
        self._answer(request)

    def _cancel(self) -> None:
        """Cancel the exchange because the client is gone; not before its task has begun to run."""
        if self._task is not None:
            self._loop.call_soon(self._task.cancel, "the client closed the connection")

    def _begin_body(self, head: RequestHead, rest: bytes) -> None:
        body: IncomingBody
        if head.chunked:
            body = ChunkedBody(self, keeps_trailers=not self._as_traefik)
        else:
            body = LengthBody(self, head.length)
        head.request.body = self._body = body
        if self._entrypoint.read_timeout is None:
            self._deadline.clear()  # From here on it is set whenever the reader waits.
        if rest:
            self._feed_body(rest)
        elif head.request.expects_continue:
            self._must_continue = True

    def _feed_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None  # noqa: S101 - for the type checker; callers have looked
        try:
            rest = body.feed(data)
        except FramingError as error:
            self._keep_alive = False
            self._body = None
            self._lingering = True
            kind = BodyMalformedAsTraefik if self._as_traefik else BadRequest
            body.fail(kind(f"the request body is malformed: {error}"))
            return
        if rest is None:
            if self._entrypoint.read_timeout is None and body.is_awaited():
                self._deadline.set(self._entrypoint.head_timeout)
            return
        self._body = None
        self._deadline.clear()
        self._pending = rest
        if len(rest) <= PIPELINE_LIMIT:
            self._resume()

    def _refuse(self, error: ExchangeError) -> None:
        """Answer a head that is not served, and close."""
        self._keep_alive = False
        self._transport.write(data := refusal(error, as_traefik=self._as_traefik))
        self._entrypoint.refused(self._peer, error, len(data.partition(b"\r\n\r\n")[2]))
        self._linger()

    # The body's side (``framing.BodyOwner``).

    def body_wanted(self) -> None:
        if self._must_continue:
            self._must_continue = False
            self._transport.write(CONTINUE)
        if self._entrypoint.read_timeout is None:
            self._deadline.set(self._entrypoint.head_timeout)
        self._resume()

    def body_full(self) -> None:
        if self._entrypoint.read_timeout is None:
            self._deadline.clear()
        self._pause()

    def body_abandoned(self) -> None:
        self._keep_alive = False
        if self._entrypoint.read_timeout is None:
            self._deadline.clear()

    # Exchanges.

    def _answer(self, request: Request) -> None:
        """Begin to answer; what is known at once and whole goes out without a task."""
        answer: Awaitable[Response]
        try:
            answer = self._entrypoint.dispatch(request)
        except Exception as error:  # noqa: BLE001 - the border of a request: nothing may pass.
            answer = self._entrypoint.failed(request, error)
        if (
            type(answer) is Response
            and request.body is EMPTY
            and not self._pending  # Else answer and next request would call each other in turn.
            and not self._write_paused
            and answer.tunnel is None
            and (data := ready_content(request, answer)) is not None
        ):
            request.exchange.status = answer.status
            self._write_whole(request, answer, data)
            answer.close()
            if self._entrypoint.finished is not None:
                self._entrypoint.finished(request, answer)
            self._end()
        else:
            self._task = self._loop.create_task(self._serve(request, answer))

    async def _serve(self, request: Request, answer: Awaitable[Response]) -> None:
        response: Response | None = None
        exchange = request.exchange
        try:
            try:
                response = await answer
            except Exception as error:  # noqa: BLE001 - the border of a request: nothing may pass.
                response = self._entrypoint.failed(request, error)
            exchange.status = response.status
            if response.tunnel is not None:
                await self._serve_tunnel(request, response)
            elif (data := ready_content(request, response)) is not None:
                self._write_whole(request, response, data)
                if self._write_paused:
                    await self._drain()
            else:
                await self._stream(request, response)
        except asyncio.CancelledError as end:
            if self._tunnel is None:
                exchange.status = 499
                exchange.error = exchange.error or str(end) or "the client closed the connection"
            self._keep_alive = False
            raise
        except ExchangeError as error:  # The head is out: all that can be said is to break off.
            exchange.error = str(error)
            complaints.server_failed(exchange, error)
            self._keep_alive = False
            self._transport.abort()
        finally:
            if response is not None:
                response.close()
            if isinstance(request.body, IncomingBody):
                exchange.request_size = request.body.received
            if self._entrypoint.finished is not None:
                self._entrypoint.finished(request, response)
            self._end()

    def _head(self, request: Request, response: Response) -> bytes:
        return response_head(response, request.method, request.version, keep_alive=self._keep_alive)

    def _switch_head(self, response: Response) -> bytes:
        return response_head(response, "GET", (1, 1), keep_alive=True)

    def _write_whole(self, request: Request, response: Response, data: bytes) -> None:
        if self._body is not None:
            self._keep_alive = False
        head = self._head(request, response)
        self._head_sent = True
        if request.method != "HEAD":
            request.exchange.response_size = len(data)
            self._transport.write(head + data if len(data) < WRITE_HIGH_WATER else head)
            if len(data) >= WRITE_HIGH_WATER:
                self._transport.write(data)
        else:
            self._transport.write(head)

    async def _stream(self, request: Request, response: Response) -> None:
        body = response.body
        chunked = body.length is None and request.version >= (1, 1)
        if body.length is None and not chunked:
            self._keep_alive = False
        # With the first bytes if they are there, alone if not: an event source is open at its head.
        self._waiting_head = self._head(request, response)
        self._head_sent = True
        self._loop.call_soon(self._send_waiting_head)
        while data := await body.read():
            request.exchange.response_size += len(data)
            if chunked:
                data = chunk(data)
            if self._waiting_head:
                data, self._waiting_head = self._waiting_head + data, b""
            self._transport.write(data)
            if self._write_paused:
                await self._drain()
        if chunked:
            self._waiting_head += last_chunk(body.trailers)
        self._send_waiting_head()

    def _send_waiting_head(self) -> None:
        data, self._waiting_head = self._waiting_head, b""
        if data:
            self._transport.write(data)

    async def _serve_tunnel(self, request: Request, response: Response) -> None:
        self._upstream = upstream = response.tunnel
        assert upstream is not None  # noqa: S101 - for the type checker; the caller has looked
        self._keep_alive = False
        self._deadline.clear()
        if self._answer_deadline is not None:
            self._answer_deadline.clear()
        self._tunnel = tunnel = DownstreamTunnel(self._transport, self._drain, self._pause_for)
        self._transport.write(self._switch_head(response))
        self._resume()  # From here on the tunnel says when to pause.
        if self._pending:
            tunnel.feed(self._pending)
            self._pending = b""
        sent, received = await pump(tunnel, upstream)
        request.exchange.response_size = sent
        request.exchange.request_size = received

    def _inform(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send an interim response (RFC 9110, section 15.2)."""
        is_gone = self._transport.is_closing()
        if status == 100 and self._must_continue and not is_gone:
            self._must_continue = False
            self._transport.write(CONTINUE)
        elif status != 100 and not self._head_sent and not is_gone:
            self._transport.write(interim_head(status, headers))

    def _end(self) -> None:
        """Close, or go on with what the client has sent meanwhile."""
        self._task = None
        if self._answer_deadline is not None:
            self._answer_deadline.clear()
        if self._transport.is_closing():
            return
        if self._body is not None or not self._keep_alive or self._entrypoint.closing:
            self._close_gently()
            return
        self._deadline.set(self._entrypoint.idle_timeout)
        if self._pending:
            data, self._pending = self._pending, b""
            self._read_head(data)
        if self._paused and len(self._pending) <= PIPELINE_LIMIT:
            self._resume()

    # Life cycle.

    def _close_gently(self) -> None:
        """Close so that the client can read the answer though it may still be sending.

        Closing a socket with unread bytes makes the kernel send a reset, which
        can destroy the answer on its way: so half-close, swallow, then close.
        """
        if self._body is None and not self._pending and not self._lingering:
            self._transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        self._body = None
        self._lingering = True
        self._resume()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(LINGER_SECONDS)

    def shut_down(self) -> None:
        """Close when idle; a connection with an exchange closes after it."""
        if self._task is None and not self._heads.size:
            self._transport.close()
        elif self._tunnel is None:
            self._keep_alive = False

    def end_tunnel(self) -> bool:
        """End an upgraded connection in order; tell whether it is one."""
        if self._upstream is not None:
            self._upstream.end()
        return self._upstream is not None

    def abort(self, reason: str = "") -> None:
        """Break off at once, whatever is under way; ``reason`` is for the access log."""
        if reason and self._task is not None:
            self._task.cancel(reason)
        self._transport.abort()

    def _expired(self) -> None:
        """The current phase has lasted too long."""
        if self._body is not None:
            self._keep_alive = False
            kind = BodyLateAsTraefik if self._as_traefik else RequestTimeout
            self._body.fail(kind("the client sent no more of the request body in time"))
        elif self._task is not None:
            self._transport.abort()
        elif self._heads.size and not self._as_traefik:
            self._refuse(RequestTimeout("the request head did not come in time"))
        else:
            self._transport.close()
