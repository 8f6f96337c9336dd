"""Connections that are being opened for requests which may also wait.

A server that drops packets (paused, cut off from its network) lets a dial hang for the whole
``dialTimeout``. A request that may be held need not wait for that: its dial ends with its time,
and as soon as another server is there or this one is to be asked no more. Nothing has been sent
then, so that any other server may be asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from edgerouter.http.errors import ConnectTimeout
from edgerouter.http.message import Exchange

C = TypeVar("C")

SHORTEST = 1.0
"""Seconds that a dial gets while there are as many left; else it gets half of what is left."""


class Dials:
    """Those of one service in one worker."""

    def __init__(self) -> None:
        self._hanging: dict[asyncio.Timeout, str] = {}
        """The URL of the server of each."""
        self._usable: Collection[str] | None = None
        """Servers that can be asked, by the last ``review``; None before there was one."""
        self.longest = 0.0
        """Seconds a request may spend on dials and waiting (``tryDuration``); 0: no limit."""

    async def run(self, dial: Callable[[], Awaitable[C]], url: str, exchange: Exchange) -> C:
        """Return what ``dial`` opens.

        Raises:
            ConnectTimeout: The request's time was over, or ``review`` gave it up or has done so
                before: the server of a kept connection that broke may be on its way out.
        """
        if self._usable is not None and url not in self._usable:
            exchange.hung = url
            message = f"the server {url} is going away"
            raise ConnectTimeout(message)
        began = asyncio.get_running_loop().time()
        if self.longest and not exchange.dial_until:
            exchange.dial_until = began + self.longest
        until = None
        if exchange.dial_until:  # The rest is for another server, or for another try.
            left = exchange.dial_until - began
            until = began + min(left, max(left / 2, SHORTEST))
        try:
            async with asyncio.timeout_at(until) as timeout:
                self._hanging[timeout] = url
                try:
                    return await dial()
                finally:
                    del self._hanging[timeout]
        except TimeoutError as error:
            waited = asyncio.get_running_loop().time() - began
            exchange.hung = url
            message = f"the server {url} did not accept a connection; given up after {waited:.2g} s"
            raise ConnectTimeout(message) from error

    def review(self, usable: Collection[str], *, has_new: bool) -> None:
        """Give up dials that lead nowhere: to servers that are out, or all if there is a new one.

        Args:
            usable: The URLs of the servers that can be asked now.
            has_new: Whether there is one among them that could not be asked before.
        """
        self._usable = usable
        now = asyncio.get_running_loop().time()
        for timeout, url in self._hanging.items():
            if (has_new or url not in usable) and not timeout.expired():
                timeout.reschedule(now)
