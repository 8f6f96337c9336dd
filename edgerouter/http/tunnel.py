"""What an upgraded connection becomes: bytes in two directions."""

from collections.abc import Callable
from typing import Protocol


class Tunnel(Protocol):
    """One side of an upgrade (RFC 9110, section 7.8)."""

    async def read(self) -> bytes:
        """Return the next bytes from the server, an empty string when it has finished."""
        ...

    async def write(self, data: bytes) -> None:
        """Send ``data``; waits while the server is full."""
        ...

    def feed_eof(self) -> None:
        """Have ``read`` finish once it has returned what has arrived."""
        ...

    def is_lost(self) -> bool:
        """Tell whether the connection is gone, rather than finished in one direction."""
        ...

    def write_eof(self) -> None:
        """Tell the server that nothing more will be written."""
        ...

    def close(self) -> None:
        """End both directions; safe to call twice."""
        ...

    def when_cut(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when it is broken off from our side."""
        ...

    def abort(self) -> None:
        """Break off both directions at once; what was not sent yet is dropped."""
        ...

    def end(self) -> None:
        """Have it end soon from our side, with a word where its protocol has one."""
        ...
