"""``maxConnections``: so many requests per server at once; the rest waits in line.

A server that gets more than it can do becomes slower for everybody. The line
has a length and a time; who comes first is served first, or by the urgency
that the client gives (``Priority``, RFC 9218) where ``queueByPriority`` trusts it.
"""

import asyncio
import heapq
import re
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from edgerouter.http.errors import ExchangeError, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services.server import Server
from edgerouter.services.slots import Slots

MAX_QUEUE = 1024
QUEUE_TIMEOUT = 10.0
"""Seconds."""
INTERVAL = 0.005
"""Seconds between two looks for what other workers have given back."""
URGENCY = 3
"""Of a request that does not say (RFC 9218, section 4.1); 0 is the most urgent."""

_URGENCY = re.compile(rb"(?:^|[,;])\s*u=([0-7])\s*(?:$|[,;])")


class QueueFull(ExchangeError):
    """Too many wait already, or this request has waited for too long."""

    status = 503
    source = "upstream"
    retry_after = 5
    page = "too many requests wait for a server\n"


class Claimable(Protocol):
    """The load balancer that a request waits for."""

    def claim(self, request: Request) -> Server | None:
        """Take a place at a server for ``request``; None while there is none.

        Raises:
            NoServer: Waiting does not help.
        """
        ...

    def ask(self, request: Request, server: Server) -> Awaitable[Response]:
        """Ask a server at which a place was taken."""
        ...


_Turn = asyncio.Future[Server]


class Queue:
    """The line in front of one load balancer, in one worker."""

    def __init__(self, options: Mapping[str, Any], slots: Slots) -> None:
        self._longest = options.get("maxQueue") or MAX_QUEUE
        self._timeout = options.get("queueTimeout") or QUEUE_TIMEOUT
        self._by_priority = bool(options.get("queueByPriority"))
        self._slots = slots
        self._waiting: list[tuple[int, int, _Turn, Request, Claimable]] = []
        self._count = 0
        self._look: asyncio.TimerHandle | None = None

    async def serve(self, request: Request, servers: Claimable) -> Response:
        """Wait for a place if need be, then ask.

        Raises:
            QueueFull: The line is too long, or did not move in time.
        """
        server = None if self._waiting else servers.claim(request)
        if server is None:
            server = await self._wait(request, servers)
        return await servers.ask(request, server)

    def move(self) -> None:
        """Call whoever may go now; a server has become free."""
        while self._waiting:
            _, _, turn, request, servers = self._waiting[0]
            if not turn.done():
                try:
                    server = servers.claim(request)
                except NoServer as error:
                    turn.set_exception(error)
                else:
                    if server is None:
                        return
                    turn.set_result(server)
            heapq.heappop(self._waiting)
        self._slots.stand_in_line(stands=False)

    def _move_again(self) -> None:
        """Look from time to time: requests of other workers end without a word."""
        self._look = None
        self.move()
        if self._waiting:
            self._look = asyncio.get_running_loop().call_later(INTERVAL, self._move_again)

    async def _wait(self, request: Request, servers: Claimable) -> Server:
        if len(self._waiting) >= self._longest:
            message = f"{len(self._waiting)} requests wait already (maxQueue)"
            raise QueueFull(message)
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        self._count += 1
        urgency = _urgency(request) if self._by_priority else URGENCY
        heapq.heappush(self._waiting, (urgency, self._count, turn, request, servers))
        self._slots.stand_in_line(stands=True)
        if self._look is None:
            self._look = loop.call_later(INTERVAL, self._move_again)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except TimeoutError as error:
            self._give_up(turn)
            message = f"no server became free within {self._timeout:g} s (queueTimeout)"
            raise QueueFull(message) from error
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def _give_up(self, turn: _Turn) -> None:
        """Leave the line, or let the next have the place that came in the same moment."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._slots.give(turn.result().url)
        self._waiting = [entry for entry in self._waiting if not entry[2].done()]
        heapq.heapify(self._waiting)
        self.move()


def _urgency(request: Request) -> int:
    found = _URGENCY.search(request.headers.first(b"priority") or b"")
    return int(found[1]) if found else URGENCY
