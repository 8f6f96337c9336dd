"""Tunnels whose server is removed: closed after a time, WebSockets in order.

An upgraded connection belongs to its server, not to a configuration: changes
leave it alone. When its server is gone from every service it has a time to end
by itself. Then both sides of a WebSocket get a Close frame with 1001, going away
(RFC 6455, section 7.4.1), as does a client whose server ends while it is fenced;
other tunnels are just closed.
"""

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from struct import unpack

from edgerouter.http.tunnel import Tunnel
from edgerouter.services.server import Fences

PATIENCE = 1.0
"""Seconds for a frame under way to end."""
STEP = 0.02
"""Seconds between two looks for the rest of it, and for a last word to be taken."""
FAREWELL = PATIENCE + 0.2
"""Seconds after which a tunnel that was told to end is cut: one of both sides takes nothing."""
_GOING_AWAY = (1001).to_bytes(2, "big")
CLOSE = b"\x88\x02" + _GOING_AWAY
"""What a client gets."""
_LONGEST_HEAD = 14
_IS_CLOSE, _HAS_MASK = 0x88, 0x80


def masked_close() -> bytes:
    """Return what a server gets: clients mask their frames (RFC 6455, section 5.3)."""
    mask = os.urandom(4)
    return b"\x88\x82" + mask + bytes(a ^ b for a, b in zip(_GOING_AWAY, mask, strict=False))


class Frames:
    """Follows one direction of a WebSocket (RFC 6455, section 5.2)."""

    __slots__ = ("_closes", "_head", "_left", "is_closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._closes = False
        """Whether the frame under way is a Close frame."""
        self.is_closed = False
        """Whether a Close frame has passed."""

    @property
    def is_between(self) -> bool:
        """Whether no frame is under way."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> int:
        """Take what passes; return where the last frame in it ends, -1 if none does.

        That is 0 if only the beginning of a frame passes.
        """
        position, size = 0, len(data)
        border = 0 if self.is_between else -1
        while position < size:
            if self._left:
                step = min(self._left, size - position)
                self._left -= step
                position += step
            else:
                known = len(self._head)
                head = self._head + data[position : position + _LONGEST_HEAD - known]
                need = _head_size(head)
                if len(head) < need:
                    self._head = head
                    return border
                position += need - known
                self._head, self._left = b"", _payload_size(head)
                self._closes = head[0] == _IS_CLOSE
            if not self._left:
                border = position
                self.is_closed |= self._closes
        return border


def _head_size(head: bytes) -> int:
    if len(head) < 2:
        return 2
    extended = {126: 2, 127: 8}.get(head[1] & 0x7F, 0)
    return 2 + extended + (4 if head[1] & _HAS_MASK else 0)


def _payload_size(head: bytes) -> int:
    size = head[1] & 0x7F
    if size < 126:
        return size
    (found,) = unpack("!H", head[2:4]) if size == 126 else unpack("!Q", head[2:10])
    return int(found)


class Tunnels:
    """The open tunnels of a worker, by the URL of their server."""

    def __init__(self, fences: Fences, grace: float) -> None:
        self._fences = fences
        self.grace = grace
        """Seconds that tunnels have once their server is removed."""
        self._urls: Collection[str] | None = None
        """The servers there are; None as long as nobody has said."""
        self._open: dict[str, set[_Watched]] = {}
        self._ending: dict[str, asyncio.TimerHandle] = {}

    def watch(self, url: str, tunnel: Tunnel, protocol: str) -> Tunnel:
        """Return ``tunnel`` to the server ``url`` as it is to be used from now on."""
        made = _WebSocket if protocol.lower() == "websocket" else _Watched
        watched = made(self, url, tunnel)
        self._open.setdefault(url, set()).add(watched)
        self._look(url)  # A server may be removed before it has switched.
        return watched

    def keep_only(self, urls: Collection[str]) -> None:
        """Take note of which servers there are."""
        self._urls = urls
        for url in self._open:
            self._look(url)
        for url in [url for url in self._ending if url in urls]:
            self._ending.pop(url).cancel()

    def _look(self, url: str) -> None:
        """Give the tunnels to a server their time if it is removed."""
        if self._urls is not None and url not in self._urls and url not in self._ending:
            loop = asyncio.get_running_loop()
            self._ending[url] = loop.call_later(self.grace, self._end, url)

    def is_going(self, url: str) -> bool:
        """Tell whether a server is removed, or about to be."""
        return url in self._ending or url in self._fences.urls

    def forget(self, watched: "_Watched") -> None:
        """Take note that a tunnel is closed."""
        tunnels = self._open.get(watched.url)
        if tunnels is not None:
            tunnels.discard(watched)
            if not tunnels:
                del self._open[watched.url]

    def _end(self, url: str) -> None:
        for watched in list(self._open.get(url, ())):
            watched.end()
        self._ending.pop(url, None)


class _Watched:
    """A tunnel that can be told to end."""

    def __init__(self, tunnels: Tunnels, url: str, tunnel: Tunnel) -> None:
        self.url = url
        self._tunnels = tunnels
        self._tunnel = tunnel

    async def read(self) -> bytes:
        return await self._tunnel.read()

    async def write(self, data: bytes) -> None:
        await self._tunnel.write(data)

    def is_lost(self) -> bool:
        return self._tunnel.is_lost()

    def write_eof(self) -> None:
        self._tunnel.write_eof()

    def feed_eof(self) -> None:
        self._tunnel.feed_eof()

    def close(self) -> None:
        self._tunnels.forget(self)
        self._tunnel.close()

    def when_cut(self, callback: Callable[[], None]) -> None:
        self._tunnel.when_cut(callback)

    def abort(self) -> None:
        self._tunnel.abort()

    def end(self) -> None:
        """Close it from our side."""
        self._tunnel.close()
        self._cut_later()

    def _cut_later(self) -> None:
        """Cut what is not over in time; also behind ``close``, which waits for who reads slowly."""
        asyncio.get_running_loop().call_later(FAREWELL, self._tunnel.abort)


class _WebSocket(_Watched):
    """A tunnel whose frames are followed, so that a Close frame comes between two of them."""

    def __init__(self, tunnels: Tunnels, url: str, tunnel: Tunnel) -> None:
        super().__init__(tunnels, url, tunnel)
        self._down, self._up = Frames(), Frames()
        self._is_told = False
        self._is_down_over = self._is_up_over = False
        """Whether the last frame in this direction has passed."""

    async def read(self) -> bytes:
        """Return what the server sends, and at the end a Close frame if it did not send one."""
        if self._is_down_over:
            return b""
        data = await self._tunnel.read() or await self._rest()
        border = self._down.feed(data)
        if data and not (self._is_told and border >= 0):
            return data
        self._is_down_over = True
        if not data and not self._down.is_between:
            return b""
        data = data[: max(border, 0)]  # A server that goes on sending does not keep us.
        if self._down.is_closed or not (self._is_told or self._tunnels.is_going(self.url)):
            return data
        self._is_told = True
        if self._up.is_between:
            await self._part_from_server(b"")
        return data + CLOSE

    async def _rest(self) -> bytes:
        """Return more of the frame under way when the tunnel was told to end within it."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while self._is_told and not self._down.is_between:
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(STEP)
            if data := await self._tunnel.read():
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """Send what the client sends, up to the end of a frame if the tunnel is to end."""
        if self._is_up_over:
            return  # Behind a Close frame nothing is said (section 5.5.1).
        border = self._up.feed(data)
        if self._is_told and border >= 0:
            await self._part_from_server(data[:border])
        else:
            await self._tunnel.write(data)

    async def _part_from_server(self, last: bytes) -> None:
        """Send the ``last`` whole frames and a Close frame, whether or not the server reads."""
        if self._is_up_over:
            return
        self._is_up_over = True
        if not self._up.is_closed:
            last += masked_close()
        if last:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(STEP):
                    await self._tunnel.write(last)
        self._tunnel.write_eof()

    def end(self) -> None:
        """Send Close frames both ways, and nothing behind them.

        What the client sends meanwhile is swallowed until it closes: a reset, which is the kernel's
        answer to bytes that nobody reads, could destroy the Close frame on its way.
        """
        self._is_told = True
        self._tunnel.feed_eof()
        self._cut_later()
