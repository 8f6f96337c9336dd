"""TLS between a client's socket and the protocol that speaks with it.

A transport for the protocol above, a protocol for the transport below, and an
OpenSSL object with two memory buffers in between. Not asyncio's: that one
begins with an empty buffer, while here the ClientHello has been read, and it
sends no alert when a handshake fails. What is written is encrypted at once,
so the transport below has the only write buffer and flow control is its own.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

READ_SIZE = 16 * 1024
"""The most a TLS record holds and so a read gives; for more, each read would allocate in vain."""

MAX_ANSWERS = 16 * 27
"""Bytes of answers, 16 to key updates, that a client gets without sending data (as Go has it)."""

MAX_UNSENT = 64 * 1024
"""Bytes that wait for a client to read them, with which it counts as one that does not read."""

MAX_WASTE = 2 * READ_SIZE
"""Bytes that may come in one turn beyond the data in them: 1,500 empty records, or part of one."""


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """One TLS connection; ``established`` gives the protocol above once hands are shaken."""

    __slots__ = (
        "_answers",
        "_below",
        "_closing",
        "_ended_below",
        "_established",
        "_failed",
        "_incoming",
        "_object",
        "_outgoing",
        "_paused",
        "_protocol",
        "_shaken",
        "_told_end",
        "_unfed",
        "_unread",
    )

    def __init__(
        self,
        below: asyncio.Transport,
        context: ssl.SSLContext,
        established: Callable[["TlsTransport", ssl.SSLObject], asyncio.Protocol],
        failed: Callable[[Exception | None], None],
    ) -> None:
        """Sit between ``below`` and the protocol that ``established`` will return.

        ``failed`` is called instead of it when the handshake does not come to an end.
        """
        super().__init__()
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = established
        self._failed = failed
        self._protocol: asyncio.Protocol | None = None
        self._shaken = False
        self._closing = False
        self._paused = False
        self._ended_below = False
        self._told_end = False
        self._unread = b""
        """What was decrypted before we said goodbye and has not been passed on."""
        self._unfed = memoryview(b"")
        """What has come and OpenSSL has not seen yet: it would not stop before the end of it."""
        self._answers = 0
        """Bytes of answers since the last data."""

    # The side of the transport below.

    def data_received(self, data: bytes) -> None:
        if len(data) > READ_SIZE or self._unfed:
            self._unfed = memoryview(bytes(self._unfed) + data)
            self._feed()
            return
        self._incoming.write(data)
        if self._shaken:
            self._read()
        else:
            self._shake()

    def _feed(self) -> None:
        """Take much data in pieces; whoever fills it with tiny records lets others go first."""
        waste = 0
        while self._unfed and not self._paused and not self._below.is_closing():
            if waste > MAX_WASTE:
                self._below.pause_reading()
                asyncio.get_running_loop().call_soon(self._go_on)
                return
            piece, self._unfed = self._unfed[:READ_SIZE], self._unfed[READ_SIZE:]
            self._incoming.write(piece)
            waste += len(piece) - (self._read() if self._shaken else self._shake())

    def _go_on(self) -> None:
        """Read on after a pause."""
        self._read()
        self._feed()
        if not self._unfed:
            self._listen()

    def _listen(self) -> None:
        if not self._paused and not self._below.is_closing():
            self._below.resume_reading()

    def eof_received(self) -> bool:
        if self._protocol is None:
            return False
        # OpenSSL is not told: without close_notify it would refuse to write from here on.
        self._ended_below = True
        if not self._paused:
            self._read()  # What has come before is passed on first.
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        protocol, self._protocol = self._protocol, None
        self._closing = True
        if protocol is not None:
            protocol.connection_lost(exc)
        elif not self._shaken:
            self._failed(exc)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _shake(self) -> int:
        """Go on shaking hands; return how much data came behind it."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return 0
        except ssl.SSLError as error:
            self._flush()  # The alert.
            self._shaken = True
            self._failed(error)
            self._below.close()
            return 0
        self._shaken = True
        self._flush()
        self._protocol = protocol = self._established(self, self._object)
        protocol.connection_made(self)
        return self._read()

    def _read(self) -> int:
        """Pass on what can be decrypted; return how much it was."""
        if self._unread:
            self._pass_unread()
        given, read = 0, self._object.read
        try:
            while not self._paused and self._protocol is not None:
                data = read(READ_SIZE)
                if not data:
                    self._ended()
                    return given
                if (self._outgoing.pending or self._answers) and not self._may_go_on(len(data)):
                    return given
                left, stop = self._incoming.pending, None
                if left and len(data) < READ_SIZE:
                    data, stop = self._with_more(data)  # Many tiny records are told at once.
                given += len(data)
                self._protocol.data_received(data)
                if stop is not None and not self._paused:
                    raise stop
                # A read gives a whole record: with nothing left, or the beginning of one more,
                # another read would only raise, which costs more than the question.
                if not left or (left < READ_SIZE and self._unfed):
                    break
            else:
                return given
        except ssl.SSLError as error:
            self._stopped(error)
        if self._ended_below and not self._unfed and not self._unread:
            self._ended()
        return given

    def _stopped(self, error: ssl.SSLError) -> None:
        """Take note of why there is no more to read."""
        if isinstance(error, ssl.SSLWantReadError):
            if self._outgoing.pending:
                self._may_go_on(0)
        elif isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
            self._ended()
        else:
            self._flush()
            self.abort()

    def _pass_unread(self) -> None:
        if not self._paused and self._protocol is not None:
            data, self._unread = self._unread, b""
            self._protocol.data_received(data)

    def _with_more(self, first: bytes) -> tuple[bytes, ssl.SSLError | None]:
        """Return ``first`` with the data of the records behind it, and what ended them."""
        parts, size = [first], len(first)
        try:
            while size < READ_SIZE and (data := self._object.read(READ_SIZE)):
                parts.append(data)
                size += len(data)
                if self._outgoing.pending and not self._may_go_on(len(data)):
                    break
        except ssl.SSLError as error:
            return b"".join(parts), error
        return b"".join(parts), None

    def _may_go_on(self, received: int) -> bool:
        """Answer the client's key updates, unless it sends little else or reads no answers."""
        self._answers += self._outgoing.pending
        if self._answers > MAX_ANSWERS:
            self.abort()
            return False
        self._flush()
        if received and self._below.get_write_buffer_size() < MAX_UNSENT:
            self._answers = 0
        return True

    def _ended(self) -> None:
        """Pass on that the client will send no more."""
        protocol = self._protocol
        if protocol is not None and not self._told_end:
            self._told_end = True
            if not protocol.eof_received():
                self.close()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self._below.is_closing():
            self._below.write(data)

    # The side of the protocol above.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        try:
            self._object.write(data)
        except ssl.SSLError:  # A connection that is broken already.
            self.abort()
            return
        self._below.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say that we send no more (``close_notify``), while the client still may."""
        if not self._closing:
            # Python reads when it says goodbye, and would take what comes for a mistake.
            self._unread += self._decrypted()
            self._say_goodbye()
            if self._unread:
                asyncio.get_running_loop().call_soon(self._go_on)
        if self._below.can_write_eof():
            self._below.write_eof()

    def _decrypted(self) -> bytes:
        """Return all that has come and can be read now."""
        parts = []
        with suppress(ssl.SSLError):  # What is wrong is wrong again at the next read.
            while data := self._object.read(READ_SIZE):
                parts.append(data)
        return b"".join(parts)

    def _say_goodbye(self) -> None:
        if self._closing:
            return
        self._closing = True
        with suppress(ssl.SSLError):  # It would have us wait for the client's close_notify.
            self._object.unwrap()
        self._flush()

    def close(self) -> None:
        """Send what was written and ``close_notify``, then close."""
        if self._shaken:
            self._say_goodbye()
        self._below.close()

    def abort(self) -> None:
        """Close at once, without ``close_notify``."""
        self._closing = True
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            if not self._below.is_closing():
                self._below.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if not self._unfed:
                self._listen()
            # What was decrypted or waits in the buffer is not announced by the socket again.
            asyncio.get_running_loop().call_soon(self._go_on)

    def is_reading(self) -> bool:
        return not self._paused

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol  # type: ignore[assignment]

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None  # noqa: S101 - there is one from the handshake on
        return self._protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._object if name == "ssl_object" else self._below.get_extra_info(name, default)
