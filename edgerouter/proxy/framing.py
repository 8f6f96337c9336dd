"""Message bodies on an HTTP/1 connection: where they end, and how they are pulled.

A body is fed by the connection's protocol and read by one reader. Each kind
knows where it ends (RFC 9112, section 6.3). ``feed`` returns None while the
body goes on, and the bytes behind its end once it is complete. Nothing here
knows whether it is a request's or a response's body.
"""

import asyncio
import re
from typing import Protocol

from edgerouter.http import fields
from edgerouter.http.body import NO_TRAILERS
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers

HIGH_WATER = 256 * 1024
"""Bytes that may wait for the reader before the connection stops reading."""
MAX_CHUNK_LINE = 1024
"""Bytes of a chunk-size line with its extensions (RFC 9112, section 7.1.1)."""
MAX_TRAILERS = 16 * 1024
"""Bytes of a trailer section."""

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?").fullmatch
# Each of these is linear in the text; one expression for both would not be.
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
# RFC 9110, section 6.5.1: fields for framing, routing and authentication must not come late.
_FORBIDDEN_TRAILERS = frozenset(
    b"authorization connection content-encoding content-length content-range content-type "
    b"cookie expect host keep-alive max-forwards proxy-authorization proxy-connection "
    b"set-cookie te trailer transfer-encoding upgrade".split()
)


class FramingError(ValueError):
    """The bytes of a body break RFC 9112."""


class BodyOwner(Protocol):
    """The connection a body arrives on."""

    def body_wanted(self) -> None:
        """The reader waits: let the peer send."""
        ...

    def body_full(self) -> None:
        """Enough is waiting for the reader: stop the peer."""
        ...

    def body_abandoned(self) -> None:
        """The reader closed the body before its end."""
        ...


class IncomingBody:
    """What all kinds share: the queue between connection and reader."""

    __slots__ = (
        "_chunks",
        "_closed",
        "_error",
        "_owner",
        "_size",
        "_waiter",
        "complete",
        "length",
        "received",
        "trailers",
    )

    def __init__(self, owner: BodyOwner, length: int | None = None) -> None:
        self.length = length
        self.trailers: Headers = NO_TRAILERS
        self.complete = False
        """Whether the last byte has arrived."""
        self.received = 0
        """Bytes of content that have arrived."""
        self._owner = owner
        self._chunks: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: ExchangeError | None = None
        self._closed = False

    # The connection's side.

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes off the wire.

        Raises:
            FramingError: They are not a body.
        """
        raise NotImplementedError

    def fail(self, error: ExchangeError) -> None:
        """End the body with ``error``, for the reader to meet behind what has arrived."""
        if not self.complete and self._error is None:
            self._error = error
            self._wake()

    def _add(self, data: bytes) -> None:
        self.received += len(data)
        if self._closed:
            return
        self._chunks.append(data)
        self._size += len(data)
        if self._size >= HIGH_WATER and not self.complete:
            self._owner.body_full()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def is_awaited(self) -> bool:
        """Tell whether the reader is waiting for bytes now."""
        return self._waiter is not None

    # The reader's side.

    async def read(self) -> bytes:
        while not self._chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._owner.body_wanted()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._take()

    def ready(self) -> bytes | None:
        return self._take() if self.complete else None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._chunks.clear()
            if not self.complete:
                self._owner.body_abandoned()

    def _take(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._size = 0
        return data


class LengthBody(IncomingBody):
    """A body of announced length (RFC 9112, section 6.2)."""

    __slots__ = ("_missing",)

    def __init__(self, owner: BodyOwner, length: int) -> None:
        super().__init__(owner, length)
        self._missing = length

    def feed(self, data: bytes) -> bytes | None:
        missing = self._missing - len(data)
        if missing > 0:
            self._missing = missing
            self._add(data)
            self._wake()
            return None
        self.complete = True
        self._missing = 0
        if missing == 0:
            self._add(data)
            self._wake()
            return b""
        self._add(data[:missing])
        self._wake()
        return data[missing:]


class UntilCloseBody(IncomingBody):
    """A response body that ends with the connection (RFC 9112, section 6.3, rule 8)."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes | None:
        self._add(data)
        self._wake()
        return None

    def feed_eof(self) -> None:
        self.complete = True
        self._wake()


class ChunkedBody(IncomingBody):
    """A body in chunked coding, decoded strictly (RFC 9112, section 7.1)."""

    __slots__ = ("_in_trailers", "_keeps_trailers", "_missing", "_rest", "_trailer_size")

    def __init__(self, owner: BodyOwner, *, keeps_trailers: bool = True) -> None:
        super().__init__(owner)
        self._keeps_trailers = keeps_trailers
        self._missing = 0
        """Bytes left of the current chunk, with the CRLF behind it; 0 between chunks."""
        self._rest = b""
        self._in_trailers = False
        self._trailer_size = 0

    def feed(self, data: bytes) -> bytes | None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position = 0
        try:
            while True:
                if self._missing:
                    position = self._take_chunk(data, position)
                    if self._missing:
                        self._rest = data[position:]
                        return None
                end = data.find(b"\r\n", position)
                if end < 0:
                    self._rest = data[position:]
                    self._check_line(self._rest)
                    return None
                line, position = data[position:end], end + 2
                if self._in_trailers:
                    if not line:
                        self.complete = True
                        return data[position:]
                    self._add_trailer(line)
                else:
                    self._start_chunk(line)
        finally:
            self._wake()

    def _take_chunk(self, data: bytes, position: int) -> int:
        """Take what there is of the current chunk; return where it ends."""
        available = len(data) - position
        if available < self._missing:
            content = min(available, self._missing - 2)
            if content > 0:
                self._add(data[position : position + content])
                self._missing -= content
            return position + max(content, 0)
        end = position + self._missing
        if data[end - 2 : end] != b"\r\n":
            message = "a chunk is longer than its size"
            raise FramingError(message)
        if self._missing > 2:
            self._add(data[position : end - 2])
        self._missing = 0
        return end

    def _start_chunk(self, line: bytes) -> None:
        match = _CHUNK_SIZE(line)
        if match is None or len(line) > MAX_CHUNK_LINE:
            message = f"bad chunk size {line[:40]!r}"
            raise FramingError(message)
        size = int(match[1], 16)
        if size:
            self._missing = size + 2
        else:
            self._in_trailers = True

    def _check_line(self, line: bytes) -> None:
        limit = MAX_TRAILERS if self._in_trailers else MAX_CHUNK_LINE
        if len(line.removesuffix(b"\r")) > limit or b"\n" in line:
            message = "a chunk-size or trailer line is too long or ends with a bare LF"
            raise FramingError(message)

    def _add_trailer(self, line: bytes) -> None:
        self._trailer_size += len(line)
        name, colon, value = line.partition(b":")
        well_formed = colon and _NAME(name) and _VALUE(value)
        if not well_formed or self._trailer_size > MAX_TRAILERS:
            message = f"bad trailer field {line[:40]!r}"
            raise FramingError(message)
        if not self._keeps_trailers:
            return
        lower = name.lower()
        # Nobody may say late what a proxy alone says in front (``X-Forwarded-*``).
        if lower not in _FORBIDDEN_TRAILERS and fields.kind(lower) != fields.FORWARDED:
            if self.trailers is NO_TRAILERS:
                self.trailers = Headers()
            self.trailers.append((name, value.strip(b" \t")))
