"""``maxConnections``: so many requests per server at once; the rest waits in line.

A server that gets more than it can do becomes slower for everybody. The line
has a length and a time; who comes first is served first, or by the urgency
that the client gives (``Priority``, RFC 9218) where ``queueByPriority`` trusts it.
"""

import asyncio
import heapq
import re
from collections.abc import Awaitable, Collection, Iterable, Mapping
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
LOOK_AHEAD = 16
"""How many who wait for certain servers are passed over to find one who does not."""
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

    def claim(self, request: Request, failed: Collection[str] = ()) -> Server | None:
        """Take a place for ``request`` at a server that is not ``failed``; None: all are full.

        Raises:
            NoServer: Waiting does not help.
        """
        ...

    def ask(
        self, request: Request, server: Server, ticket: "Ticket | None" = None
    ) -> Awaitable[Response]:
        """Ask a server at which a place was taken."""
        ...

    def ask_again(self, request: Request, server: Server, ticket: "Ticket") -> Awaitable[Response]:
        """Do so for a request that has failed with others."""
        ...

    def give_back(self, server: Server) -> None:
        """Give back a place that was taken and not used."""
        ...


class Ticket:
    """A request's right to wait, which it keeps if it has to do so again."""

    __slots__ = ("failed", "left", "number")

    def __init__(self, number: int, left: float) -> None:
        self.number = number
        self.left = left
        """Seconds for which it may wait yet."""
        self.failed: tuple[str, ...] = ()
        """The URLs of servers to which no connection was to be had."""


class _Waiter:
    """A request in line."""

    __slots__ = ("request", "servers", "ticket", "turn")

    def __init__(self, request: Request, servers: Claimable, ticket: Ticket) -> None:
        self.request = request
        self.servers = servers
        self.ticket = ticket
        self.turn: asyncio.Future[Server] = asyncio.get_running_loop().create_future()


class Queue:
    """The line in front of one service, in one worker; it outlives the load balancers."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self._longest = MAX_QUEUE
        self._timeout = QUEUE_TIMEOUT
        self._by_priority = False
        self._waiting: list[tuple[int, int, _Waiter]] = []
        self._count = 0
        self._look: asyncio.TimerHandle | None = None

    def configure(self, options: Mapping[str, Any]) -> None:
        """Obey the options of the newest load balancer; who waits keeps the time it was given."""
        self.slots.limit = options["maxConnections"]
        self._longest = options.get("maxQueue") or MAX_QUEUE
        self._timeout = options.get("queueTimeout") or QUEUE_TIMEOUT
        self._by_priority = bool(options.get("queueByPriority"))

    def pass_on(self, servers: Claimable) -> None:
        """Have those who wait go to ``servers``, which replace theirs, at the next ``move``."""
        for _, _, waiter in self._waiting:
            waiter.servers = servers

    async def serve(self, request: Request, servers: Claimable) -> Response:
        """Wait for a place if need be, then ask.

        Raises:
            QueueFull: The line is too long, or did not move in time.
        """
        server = None if self._waiting else servers.claim(request)
        if server is not None:
            return await servers.ask(request, server)
        ticket = self._ticket()
        servers, server = await self._wait(request, servers, ticket)
        return await servers.ask(request, server, ticket)

    async def serve_again(
        self, request: Request, servers: Claimable, failed: Iterable[str], ticket: Ticket | None
    ) -> Response:
        """Wait for a place at another server than those that have ``failed``, then ask it.

        Raises:
            QueueFull: As above.
        """
        ticket = ticket or self._ticket()
        ticket.failed = (*failed,)
        servers, server = await self._wait(request, servers, ticket)
        return await servers.ask_again(request, server, ticket)

    def _ticket(self) -> Ticket:
        self._count += 1
        return Ticket(self._count, self._timeout)

    def move(self) -> None:
        """Call whoever may go now; a server has become free.

        Who has failed with some servers waits for the others, and lets the next ones pass.
        """
        held_up: list[tuple[int, int, _Waiter]] = []
        while self._waiting and len(held_up) < LOOK_AHEAD:
            waiter = self._waiting[0][2]
            if not waiter.turn.done():
                try:
                    server = waiter.servers.claim(waiter.request, waiter.ticket.failed)
                except NoServer as error:
                    waiter.turn.set_exception(error)
                else:
                    if server is not None:
                        waiter.turn.set_result(server)
                    elif waiter.ticket.failed:
                        held_up.append(self._waiting[0])
                    else:
                        break
            heapq.heappop(self._waiting)
        for entry in held_up:
            heapq.heappush(self._waiting, entry)
        if not self._waiting:
            self.slots.stand_in_line(stands=False)

    def _move_again(self) -> None:
        """Look from time to time: requests of other workers end without a word."""
        self._look = None
        self.move()
        if self._waiting:
            self._look = asyncio.get_running_loop().call_later(INTERVAL, self._move_again)

    async def _wait(
        self, request: Request, servers: Claimable, ticket: Ticket
    ) -> tuple[Claimable, Server]:
        if len(self._waiting) >= self._longest:
            message = f"{len(self._waiting)} requests wait already (maxQueue)"
            raise QueueFull(message)
        waiter = _Waiter(request, servers, ticket)
        urgency = _urgency(request) if self._by_priority else URGENCY
        heapq.heappush(self._waiting, (urgency, ticket.number, waiter))
        self.slots.stand_in_line(stands=True)
        loop = asyncio.get_running_loop()
        if self._look is None:
            self._look = loop.call_later(INTERVAL, self._move_again)
        if self._waiting[0][2].ticket.failed:
            self.move()  # It may be let pass.
        began = loop.time()
        try:
            async with asyncio.timeout(ticket.left):
                server = await waiter.turn
            ticket.left -= loop.time() - began
            return waiter.servers, server
        except TimeoutError as error:
            self._give_up(waiter)
            message = f"no server became free within {self._timeout:g} s (queueTimeout)"
            raise QueueFull(message) from error
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the line, or let the next have the place that came in the same moment."""
        turn = waiter.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            waiter.servers.give_back(turn.result())
        self._waiting = [entry for entry in self._waiting if not entry[2].turn.done()]
        heapq.heapify(self._waiting)
        self.move()


def _urgency(request: Request) -> int:
    found = _URGENCY.search(request.headers.first(b"priority") or b"")
    return int(found[1]) if found else URGENCY
