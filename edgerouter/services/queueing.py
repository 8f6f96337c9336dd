"""``maxConnections``: so many requests per server at once; the rest waits in line.

A server that gets more than it can do becomes slower for everybody. The line
has a length and a time; who comes first is served first, or by the urgency
that the client gives (``Priority``, RFC 9218) where ``queueByPriority`` trusts it.
"""

import asyncio
import heapq
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from edgerouter.http.errors import NoServer
from edgerouter.http.message import Request, Response

MAX_QUEUE = 1024
QUEUE_TIMEOUT = 10.0
"""Seconds."""
URGENCY = 3
"""Of a request that does not say (RFC 9218, section 4.1); 0 is the most urgent."""

_URGENCY = re.compile(rb"(?:^|[,;])\s*u=([0-7])\s*(?:$|[,;])")


class QueueFull(NoServer):
    """Too many wait already, or this request has waited for too long."""

    page = "too many requests wait for a server\n"


class Queue:
    """The line in front of one load balancer."""

    def __init__(self, options: Mapping[str, Any], has_room: Callable[[int], bool]) -> None:
        self._longest = options.get("maxQueue") or MAX_QUEUE
        self._timeout = options.get("queueTimeout") or QUEUE_TIMEOUT
        self._by_priority = bool(options.get("queueByPriority"))
        self._has_room = has_room
        """``has_room(n)``: whether servers can take more than ``n`` requests now."""
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._called = 0
        """Requests that may go but have not gone yet."""

    async def serve(
        self, request: Request, attempt: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Wait for a turn if need be, then ask by ``attempt``.

        Raises:
            QueueFull: The line is too long, or did not move in time.
        """
        if self._waiting or not self._has_room(self._called):
            await self._wait(request)
        return await attempt(request)

    def move(self) -> None:
        """Call whoever may go now; a server has become free."""
        while self._waiting and self._has_room(self._called):
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._called += 1
                turn.set_result(None)

    async def _wait(self, request: Request) -> None:
        if len(self._waiting) >= self._longest:
            message = f"{len(self._waiting)} requests wait already (maxQueue)"
            raise QueueFull(message)
        turn = asyncio.get_running_loop().create_future()
        self._count += 1
        urgency = _urgency(request) if self._by_priority else URGENCY
        heapq.heappush(self._waiting, (urgency, self._count, turn))
        try:
            async with asyncio.timeout(self._timeout):
                await turn
        except TimeoutError as error:
            self._give_up(turn)
            message = f"no server became free within {self._timeout:g} s (queueTimeout)"
            raise QueueFull(message) from error
        except BaseException:
            self._give_up(turn)
            raise
        self._called -= 1

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Go away; if the turn had come in the same moment, the next one has it."""
        if turn.done() and not turn.cancelled():
            self._called -= 1
            self.move()
        self._waiting = [entry for entry in self._waiting if not entry[2].done()]
        heapq.heapify(self._waiting)


def _urgency(request: Request) -> int:
    found = _URGENCY.search(request.headers.first(b"priority") or b"")
    return int(found[1]) if found else URGENCY
