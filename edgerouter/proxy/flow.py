"""Flow control of a connection, the same towards clients and servers."""

import asyncio
import select


class FlowControlled(asyncio.Protocol):
    """A protocol whose writers can wait for the peer, and that can stop the peer.

    Subclasses set ``_transport`` when the connection is made.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # see above
        self._paused = False
        self._write_paused = False
        self._drained: asyncio.Future[None] | None = None

    # Writing: the transport says when the peer is slow.

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    async def _drain(self) -> None:
        """Wait until the peer has taken most of what was written, or is gone."""
        while self._write_paused and not self._transport.is_closing():
            if self._drained is None:
                self._drained = self._loop.create_future()
            await self._drained

    # Reading: we say when we are slow.

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def look(self) -> None:
        """Break off if the peer has closed, of which the loop says nothing while we are paused."""
        if self._paused and not self._transport.is_closing():
            poller = select.poll()
            poller.register(self._transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
            if poller.poll(0):
                self._transport.abort()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _pause_for(self, full: bool) -> None:
        if full:
            self._pause()
        else:
            self._resume()
