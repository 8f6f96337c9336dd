"""One lazily re-armed timer for all phases of a connection."""

import asyncio
from collections.abc import Callable

FOREVER = float("inf")


def _nothing() -> None:
    """Be late for nothing."""


class Deadline:
    """When the current phase of a connection has to be over.

    Phases follow each other with every request, so moving the deadline must
    cost nothing: the timer stays where it is as long as it is early enough,
    and is armed anew when it fires too soon.
    """

    __slots__ = ("_expired", "_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._when = FOREVER
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Let the phase end ``seconds`` from now."""
        when = self._when = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > when:
            if when == FOREVER:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._fire)

    def clear(self) -> None:
        """Let the phase last as long as it likes."""
        self._when = FOREVER

    def cancel(self) -> None:
        """Never call back again, and know nobody to call: the connection is freed at once."""
        self._when = FOREVER
        self._expired = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._when == FOREVER:
            return
        if self._when > self._loop.time():
            self._timer = self._loop.call_at(self._when, self._fire)
        else:
            self._when = FOREVER
            self._expired()
