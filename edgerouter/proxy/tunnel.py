"""Upgraded connections: bytes in both directions, each closed in its own time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from edgerouter.http.errors import ExchangeError
from edgerouter.http.tunnel import Tunnel

HIGH_WATER = 256 * 1024


class ByteQueue:
    """Bytes that have arrived for a tunnel's reader; shared by both sides of the proxy."""

    __slots__ = ("_chunks", "_ended", "_pause", "_size", "_waiter")

    def __init__(self, pause: Callable[[bool], None]) -> None:
        self._pause = pause
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER:
            self._pause(True)
        self._wake()

    def feed_eof(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        while not self._chunks:
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = b"".join(self._chunks)
        self._chunks.clear()
        if self._size > HIGH_WATER:
            self._pause(False)
        self._size = 0
        return data


class TransportTunnel:
    """A tunnel over a transport; its protocol feeds it and says when it can be written to."""

    __slots__ = ("_cut", "_drain", "_lost", "_queue", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        pause: Callable[[bool], None],
    ) -> None:
        self._transport = transport
        self._drain = drain
        self._queue = ByteQueue(pause)
        self._lost = False
        self._cut: Callable[[], None] | None = None

    def feed(self, data: bytes) -> None:
        self._queue.feed(data)

    def feed_eof(self) -> None:
        self._queue.feed_eof()

    def lost(self) -> None:
        self._lost = True
        self._queue.feed_eof()

    def is_lost(self) -> bool:
        return self._lost

    async def read(self) -> bytes:
        return await self._queue.read()

    async def write(self, data: bytes) -> None:
        if self._lost:
            message = "the tunnel is closed"
            raise ConnectionResetError(message)
        self._transport.write(data)
        await self._drain()

    def write_eof(self) -> None:
        if not self._lost and not self._transport.is_closing():
            if self._transport.can_write_eof():
                with suppress(OSError):  # The peer was quicker (ENOTCONN); the loop will tell.
                    self._transport.write_eof()
            else:  # TLS has no half-closed connections here.
                self._transport.close()

    def when_cut(self, callback: Callable[[], None]) -> None:
        self._cut = callback

    def abort(self) -> None:
        self._transport.abort()
        if self._cut is not None:
            self._cut()

    def end(self) -> None:
        self._transport.close()

    def close(self) -> None:
        self._transport.close()


DownstreamTunnel = TransportTunnel
UpstreamTunnel = TransportTunnel


async def pump(downstream: Tunnel, upstream: Tunnel) -> tuple[int, int]:
    """Carry bytes both ways until both sides have finished; return bytes (down, up)."""
    counts = [0, 0]
    upstream.when_cut(downstream.abort)  # A client that reads nothing keeps us in ``write``.

    async def carry(source: Tunnel, sink: Tunnel, index: int) -> None:
        try:
            while data := await source.read():
                counts[index] += len(data)
                await sink.write(data)
            if source.is_lost():
                sink.close()
            else:
                sink.write_eof()
        except (ConnectionError, ExchangeError):
            source.close()
            sink.close()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(upstream, downstream, 0), name="tunnel-down")
            group.create_task(carry(downstream, upstream, 1), name="tunnel-up")
    finally:
        upstream.close()
        downstream.close()
    return counts[0], counts[1]
