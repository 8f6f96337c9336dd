"""HTTP/1.1 towards servers (RFC 9112): one exchange at a time per connection.

Common heads are read by ``head.py``, others by aiohttp's C parser; bodies are framed by
``proxy/framing.py``.
Counterpart towards clients: ``proxy/downstream/h1.py``.
"""

import asyncio
import select
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from aiohttp.http_parser import HttpResponseParser

from edgerouter.http.body import EMPTY, Body, FixedBody
from edgerouter.http.errors import (
    ExchangeError,
    StaleConnection,
    UpstreamCut,
    UpstreamProtocolError,
    UpstreamReset,
)
from edgerouter.http.headers import Headers
from edgerouter.http.message import Response
from edgerouter.proxy import keepalive
from edgerouter.proxy.flow import FlowControlled
from edgerouter.proxy.framing import (
    ChunkedBody,
    FramingError,
    IncomingBody,
    LengthBody,
    UntilCloseBody,
)
from edgerouter.proxy.tunnel import UpstreamTunnel
from edgerouter.proxy.upstream.head import (
    ResponseHead,
    end_to_end,
    read_common,
    read_head,
    repaired,
)

MAX_HEAD = 1024 * 1024
"""Bytes of a response head, as Go's transport allows by default."""
MAX_INTERIM = 1024 * 1024
"""Bytes of all interim heads before a final one: the client may read slower than they come."""
MAX_FIELDS = 1000
PERHAPS = "; is the port right (server.port), and does it speak HTTP, not TLS (https://)?"
WRITE_HIGH_WATER = 256 * 1024

Inform = Callable[[int, Iterable[tuple[bytes, bytes]]], bool | None]
"""Passes an interim answer on; True says that the client has read all that came before."""


class HeadBody(FixedBody):
    """No content, but the length the content would have had (RFC 9110, section 9.3.2)."""

    __slots__ = ()

    def __init__(self, length: int | None) -> None:
        super().__init__(b"")
        self.length = length


class UpstreamH1(FlowControlled):
    """A connection to a server; kept by a pool between exchanges."""

    def __init__(self, release: "Callable[[UpstreamH1], None]") -> None:
        super().__init__()
        self._release = release
        """Called when the connection is free again or has closed."""
        self._parser: Any = None
        self.closed = False
        self.exchanges = 0
        self.idle_since = 0.0

        # Per exchange.
        self._head: asyncio.Future[Response] | None = None
        self._method = ""
        self._inform: Inform | None = None
        self._interim: asyncio.Event | None = None
        self._interim_size = 0
        self._body: IncomingBody | None = None
        self._tunnel: UpstreamTunnel | None = None
        self._keep_alive = False
        self._free = False
        self._uploading = False
        self._partial = bytearray()
        """A head that has not come whole yet."""
        self._received = False

    # The user's side.

    def begin(
        self, method: str, inform: Inform, *, uploads: bool = False
    ) -> "asyncio.Future[Response]":
        """Start an exchange; the future ends with the final response's head.

        It fails with an ``ExchangeError`` when the server breaks off. With
        ``uploads`` the connection is not free before ``upload`` has ended.
        """
        self.exchanges += 1
        self._free = False
        self._method = method
        self._inform = inform
        self._received = False
        self._interim_size = 0
        self._keep_alive = False
        self._uploading = uploads
        # Made here, because the answer may come before ``upload`` has begun to run.
        self._interim = asyncio.Event() if uploads else None
        self._head = self._loop.create_future()
        return self._head

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def upload(self, body: Body, *, wait: float) -> None:
        """Send a request body; ``wait`` seconds for ``100 Continue`` first, if not 0.

        Ends quietly in every case: what goes wrong is met by who awaits the response.
        """
        try:
            if wait and self._interim is not None:
                await self._await_interim(self._interim, wait)
                if self._head is None:  # Answered without the body (RFC 9110, section 10.1.1).
                    self._keep_alive = False
                    self._free_if_done()
                    return
            await self._send_body(body)
        except ExchangeError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self.abort()
            raise

    async def _send_body(self, body: Body) -> None:
        chunked = body.length is None
        while data := await body.read():
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if self._write_paused:
                await self._drain()
            if self.closed:
                return
        if chunked:
            trailers = b"".join([b"%b: %b\r\n" % pair for pair in body.trailers])
            self._transport.write(b"0\r\n" + trailers + b"\r\n")
        self._uploading = False
        self._free_if_done()

    async def _await_interim(self, interim: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await interim.wait()
        except TimeoutError:
            pass  # RFC 9110, section 10.1.1: do not wait for ever.
        finally:
            self._interim = None

    def give_up(self, exchange: int) -> None:
        """Break off the exchange that was number ``exchange`` here, if it is still under way.

        Its answer may have come to the end a moment ago: then the connection is free again,
        or another exchange's.
        """
        if self.exchanges == exchange and not self._free:
            self.abort()

    def abort(self) -> None:
        """Break off whatever is under way."""
        self._head = None
        if self._body is not None:
            self._body.fail(UpstreamReset("the exchange was given up"))
            self._body = None
        self._transport.abort()

    def has_ended(self) -> bool:
        """Tell whether something has arrived on an idle connection: its end, or what nobody asked.

        Costs a call to the kernel, which knows before the event loop does.
        """
        poller = select.poll()
        poller.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        """Close an idle connection."""
        self._transport.close()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        self._received = True
        if self._head is not None:
            self._read_head(data)
        elif self._body is not None:
            self._feed_body(data)
        elif self._tunnel is not None:
            self._tunnel.feed(data)
        else:
            self._transport.abort()  # Nobody asked for this: it must not answer the next request.

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            self._tunnel.feed_eof()
            return self._transport.can_write_eof()
        return False

    def find_out_soon(self) -> None:
        """Have the end of a server noticed that goes away and takes its network along."""
        connection = self._transport.get_extra_info("socket")
        sends_more = self._uploading or self._tunnel is not None
        with suppress(OSError):  # A Unix socket's, which has no network.
            keepalive.find_out_soon(connection, is_uploading=sends_more)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        body, head = self._body, self._head
        self._body = self._head = None
        if self._tunnel is not None:
            self._tunnel.lost()
        if isinstance(body, UntilCloseBody) and exc is None:
            body.feed_eof()
        elif body is not None:
            body.fail(UpstreamReset("the server closed the connection in the middle of its answer"))
        if head is not None and not head.done():
            head.set_exception(self._broken())
        if self._interim is not None:
            self._interim.set()
        self.resume_writing()
        self._release(self)

    def _broken(self) -> ExchangeError:
        if self.exchanges > 1 and not self._received:
            return StaleConnection(
                "the server closed a kept-alive connection; idleConnTimeout of its servers"
                " transport should be shorter than its own keep-alive time"
            )
        if self._received:
            return UpstreamCut("the server closed the connection in the middle of its head")
        return UpstreamReset("the server closed the connection before it answered")

    # Heads.

    def _read_head(self, data: bytes) -> None:
        rest: bytes | None = self._joined(data) if self._partial else data
        while rest:
            data = rest
            end = _end_of_head(data)
            if not end:
                self._partial += data
                self._check_partial()
                return
            text, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
            head = read_common(text)
            if head is not None:
                self._final(head, rest)
                return
            rest = self._read_uncommon(text, rest)

    def _joined(self, data: bytes) -> bytes:
        """Return a head that came in pieces, with what is behind it; nothing before its end."""
        partial = self._partial
        known = max(0, len(partial) - 3)  # Where an end could have begun.
        partial += data
        if partial.find(b"\n\n", known) < 0 and partial.find(b"\r\n\r\n", known) < 0:
            self._check_partial()
            return b""
        joined = bytes(partial)
        partial.clear()
        return joined

    def _check_partial(self) -> None:
        if len(self._partial) > MAX_HEAD or not b"HTTP/1.".startswith(self._partial[:7]):
            self._fail(UpstreamProtocolError(f"the server's answer is not HTTP/1.x{PERHAPS}"))

    def _read_uncommon(self, text: bytes, rest: bytes) -> bytes | None:
        """Have a head parsed; return what is to be read next, None after the final one."""
        try:
            message = self._parse(text)
        except Exception as error:  # noqa: BLE001 - whatever odd bytes make the parser raise
            with_one_framing = repaired(text)
            if with_one_framing != text:
                self._parser = None
                return with_one_framing + rest
            reason = str(getattr(error, "message", "") or error).partition("\n")[0].rstrip(":")
            hint = "" if text.startswith(b"HTTP/") else PERHAPS
            self._fail(UpstreamProtocolError(f"the server's answer is not HTTP: {reason}{hint}"))
            return None
        if message.code < 100:
            self._fail(UpstreamProtocolError(f"the server's answer has the status {message.code}"))
            return None
        if message.code < 200 and message.code != 101:
            self._interim_size += len(text)
            if self._interim_size > MAX_INTERIM:
                self._fail(UpstreamProtocolError("the server sends interim answers without end"))
                return None
            self._interim_response(message)
            return rest
        try:
            head = read_head(message.code, message.version, message.raw_headers)
        except UpstreamProtocolError as error:
            self._fail(error)
        else:
            self._final(head, rest)
        return None

    def _parse(self, head: bytes) -> Any:
        if self._parser is None:
            self._parser = HttpResponseParser(
                None,
                self._loop,
                65536,
                max_line_size=MAX_HEAD,
                max_field_size=MAX_HEAD,
                max_headers=MAX_FIELDS,
                response_with_body=False,
                auto_decompress=False,
            )
        messages, _, rest = self._parser.feed_data(head)
        if len(messages) != 1 or rest:
            message = "the head is incomplete"
            raise ValueError(message)
        return messages[0][0]

    def _interim_response(self, message: Any) -> None:
        if self._interim is not None and message.code == 100:
            self._interim.set()
        if self._inform is not None and self._inform(message.code, end_to_end(message.raw_headers)):
            self._interim_size = 0

    def _final(self, head: ResponseHead, data: bytes) -> None:
        status = head.status
        headers = head.headers
        self._keep_alive = head.keep_alive
        future, self._head = self._head, None
        if self._interim is not None:
            self._interim.set()
        if status == 101:
            response = self._upgraded(headers, head.upgrade, data)
        elif self._method == "HEAD" or status in (204, 304):
            response = Response(status, headers, HeadBody(head.length))
            if data:
                self._keep_alive = False
            self._free_if_done()
        else:
            response = self._with_body(head, data)
        if future is not None and not future.done():
            future.set_result(response)
        else:
            response.close()

    def _with_body(self, head: ResponseHead, data: bytes) -> Response:
        status, headers, length = head.status, head.headers, head.length
        if not head.chunked and length is not None and len(data) >= length:
            if len(data) > length:
                self._keep_alive = False
                data = data[:length]
            self._free_if_done()
            return Response(status, headers, FixedBody(data) if data else EMPTY)
        if head.chunked:
            body: IncomingBody = ChunkedBody(self)
        elif length is not None:
            body = LengthBody(self, length)
        else:
            self._keep_alive = False
            body = UntilCloseBody(self)
        self._body = body
        if data:
            self._feed_body(data)
        return Response(status, headers, body)

    def _upgraded(self, headers: Headers, upgrade: bytes, data: bytes) -> Response:
        headers.append((b"Connection", b"Upgrade"))
        headers.append((b"Upgrade", upgrade))
        self._keep_alive = False
        self._tunnel = UpstreamTunnel(self._transport, self._drain, self._pause_for)
        if data:
            self._tunnel.feed(data)
        return Response(101, headers, EMPTY, self._tunnel)

    def _fail(self, error: ExchangeError) -> None:
        future, self._head = self._head, None
        if future is not None and not future.done():
            future.set_exception(error)
        if self._body is not None:
            self._body.fail(error)
            self._body = None
        self._transport.abort()

    # Bodies (``framing.BodyOwner``).

    def _feed_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None  # noqa: S101 - for the type checker; callers have looked
        try:
            rest = body.feed(data)
        except FramingError as error:
            self._body = None
            body.fail(UpstreamProtocolError(f"the server's body is malformed: {error}"))
            self._transport.abort()
            return
        if rest is not None:
            self._body = None
            if rest:
                self._keep_alive = False
            self._resume()
            self._free_if_done()

    def _free_if_done(self) -> None:
        """Give the connection back once the answer is complete and the upload has ended."""
        if self._body is not None or self._head is not None or self.closed:
            return
        if self._keep_alive and not self._uploading:
            self._free = True
            self._release(self)
        elif not self._keep_alive:
            self._transport.close()

    def body_wanted(self) -> None:
        self._resume()

    def body_full(self) -> None:
        self._pause()

    def body_abandoned(self) -> None:
        self._body = None
        self._transport.abort()


def _end_of_head(data: bytes) -> int:
    """Return where the first head in ``data`` ends, 0 when it does not."""
    end = data.find(b"\r\n\r\n")
    if end >= 0:
        return end + 4
    end = data.find(b"\n\n")  # Some servers end lines with a bare LF.
    return end + 2 if end >= 0 else 0
