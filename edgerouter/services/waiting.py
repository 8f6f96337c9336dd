"""Hold and wait: requests to a service without a server wait for one to come.

A container that is replaced is gone before the next one is there; its clients see
a slow answer instead of an error. With ``tryDuration`` each request waits that long;
with ``hold``, the default of containers, all wait until that time has passed since
the service lost its last server, so that one that is gone for good fails at once.
Waiting is bounded in number per service and in number per worker too; bodies are
not read meanwhile, so a waiting request costs its head.
"""

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import suppress
from typing import Protocol

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.errors import (
    ConnectFailed,
    ExchangeError,
    NoServer,
    UpstreamReset,
)
from edgerouter.http.message import Request, Response
from edgerouter.services.dials import Dials

MAX_WAITING = 256
"""Requests that wait for one service in one worker, unless ``maxWaiting`` says otherwise."""
MAX_WAITING_IN_ALL = 2048
"""Requests that wait in one worker."""
MAX_BYTES_IN_ALL = 64 * 1024 * 1024
"""Bytes of their bodies that may be in the memory of one worker meanwhile."""
MAX_UNREAD = 512 * 1024
"""Bytes of a body that connections take in before anybody reads them, at most."""
LOOK = 1.0
"""Seconds between two looks whether a client is there that sends more than is read."""
INTERVAL = 0.25
"""Seconds between two attempts while servers refuse connections."""
MAX_REPEATS = 2
"""How often a request is sent again that a server did not answer before it went away."""
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_FAILURES = (NoServer, ConnectFailed, UpstreamReset)


class Attempt(Protocol):
    """What a room tries again and again."""

    name: str

    def attempt(self, request: Request) -> Awaitable[Response]:
        """Ask a server now."""
        ...


class Hall:
    """All rooms of one worker, by service; they outlive the services."""

    def __init__(self) -> None:
        self.waiting = 0
        self.bytes = 0
        """Of the bodies of those who wait."""
        self._rooms: dict[str, Room] = {}

    def room(self, service: str, duration: float, max_waiting: int, hold: float = 0.0) -> "Room":
        """Return the room of ``service``, with new limits."""
        room = self._rooms.get(service)
        if room is None:
            room = self._rooms[service] = Room(self)
        room.duration, room.hold, room.max_waiting = duration, hold, max_waiting
        return room

    def pass_on(self, name: str, service: Attempt) -> None:
        """Let those who wait for a service try what took its place and holds nothing any more."""
        room = self._rooms.get(name)
        if room is not None:
            room.duration = room.hold = 0.0
            room.current = service
            room.wake()

    def keep_only(self, services: Collection[str]) -> None:
        """Forget the rooms of services that are gone and have nobody waiting."""
        for name, room in list(self._rooms.items()):
            if name not in services and not room.waiting:
                room.current = None  # It knows its room: together they would stay for long.
                del self._rooms[name]


class Room:
    """Where the requests of one service wait."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self.hold = 0.0
        """Seconds for which requests wait after the service began to fail."""
        self._dials = Dials()
        self._usable: frozenset[str] = frozenset()
        self._empty_since: float | None = None
        self._refused_since: float | None = None
        self._refused_last = 0.0
        self.max_waiting = MAX_WAITING
        self.waiting = 0
        self.current: Attempt | None = None
        """The service as it is now; it takes over the waiting requests."""

    @property
    def duration(self) -> float:
        """Seconds a request waits at most; 0: ``hold`` counts."""
        return self._dials.longest

    @duration.setter
    def duration(self, seconds: float) -> None:
        self._dials.longest = seconds

    def wake(self) -> None:
        """Let everybody try."""
        self._woken.set()
        self._woken = asyncio.Event()

    def note(self, service: Attempt, usable: frozenset[str]) -> None:
        """Take note of which servers of ``service`` can be asked now.

        A service that was replaced has no say, however long it still answers requests.
        """
        if service is not self.current:
            return
        has_new = not usable <= self._usable
        self._usable = usable
        self._dials.review(usable, has_new=has_new)
        if has_new:
            self._refused_since = None
        if usable:
            self._empty_since = None
            self.wake()
        elif self._empty_since is None:
            self._empty_since = self._loop.time()

    def _deadline(self, error: ExchangeError, now: float) -> float:
        """Return until when requests may wait that fail with ``error``, as far as ``hold`` says."""
        if isinstance(error, NoServer) and self._empty_since is not None:
            return self._empty_since + self.hold
        if self._refused_since is None or now - self._refused_last > 2 * self.hold:
            self._refused_since = now  # Not the same outage as the last one.
        self._refused_last = now
        return self._refused_since + self.hold

    async def serve(self, request: Request, service: Attempt) -> Response:
        """Ask ``service``, or whatever has taken its place, until a server takes the request.

        Raises:
            ExchangeError: None did in time, or too many requests wait already.
        """
        exchange = request.exchange
        exchange.dials = self._dials
        woken = self._woken
        try:
            response = await service.attempt(request)
        except _FAILURES as error:
            if isinstance(error, UpstreamReset) and not self.repeats(request):
                raise
            return await self._hold(request, service, error, woken)
        else:
            self._refused_since = None
            return response
        finally:
            exchange.dials = None
            if exchange.dial_until:
                exchange.dial_until = 0.0

    def repeats(self, request: Request) -> bool:
        """Tell whether ``request`` may be sent again after a server went away without an answer.

        Only without a body and with a method that changes nothing (RFC 9110, section 9.2.2).
        """
        return (
            bool(self.hold)
            and request.method in _REPEATABLE
            and request.body.length == 0
            and request.exchange.resets <= MAX_REPEATS
        )

    async def _hold(
        self, request: Request, service: Attempt, error: ExchangeError, woken: asyncio.Event
    ) -> Response:
        if self.waiting >= self.max_waiting or self._hall.waiting >= MAX_WAITING_IN_ALL:
            message = f"{error}; {self.waiting} requests wait for {service.name} already"
            raise NoServer(message) from error
        weight = _weight(request.body)
        if self._hall.bytes + weight > MAX_BYTES_IN_ALL:
            message = f"{error}; bodies of {self._hall.bytes} bytes wait already"
            raise NoServer(message) from error
        exchange, loop = request.exchange, self._loop
        began = loop.time()
        ends = began + (self.duration or self.hold)
        """When this request has waited for long enough, over all outages."""
        if self.duration and exchange.dial_until and isinstance(error, ConnectFailed):
            ends = exchange.dial_until  # It has waited for its first connection, too.
        place = _Place(self, self._hall, weight)
        place.take()
        exchange.sent = place.leave
        try:
            while (left := self._until(error, ends) - loop.time()) > 0:
                # Without a server only news help; a server that refuses may listen any moment.
                pause = left if isinstance(error, NoServer) else min(left, INTERVAL)
                await self._wait(woken, pause, request)
                woken, asked = self._woken, loop.time()
                exchange.dial_until = ends
                try:
                    response = await (self.current or service).attempt(request)
                except _FAILURES as newest:
                    place.take()
                    error = newest
                    if isinstance(error, UpstreamReset) and not self.repeats(request):
                        raise
                    if not isinstance(error, ConnectFailed):
                        ends += loop.time() - asked  # A server, or a line, had it: no waiting.
                else:
                    self._refused_since = None
                    return response
            waited = loop.time() - began
            message = f"{error}, for {self.duration or waited:.2g} s" if waited else str(error)
            raise type(error)(message) from error
        finally:
            exchange.sent = None
            place.leave()

    async def _wait(self, woken: asyncio.Event, seconds: float, request: Request) -> None:
        """Wait for ``woken``, at most for ``seconds``, as long as the client is there."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0 and not woken.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK)):
                    await woken.wait()
            request.peer.look()

    def _until(self, error: ExchangeError, ends: float) -> float:
        """Return until when a request may wait that has failed with ``error`` just now."""
        return ends if self.duration else min(ends, self._deadline(error, self._loop.time()))


class _Place:
    """That of one waiting request; a server that gets the request has it no more."""

    __slots__ = ("_hall", "_is_taken", "_room", "_weight")

    def __init__(self, room: Room, hall: Hall, weight: int) -> None:
        self._room = room
        self._hall = hall
        self._weight = weight
        self._is_taken = False

    def take(self) -> None:
        if not self._is_taken:
            self._is_taken = True
            self._count(1)

    def leave(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._count(-1)

    def _count(self, step: int) -> None:
        self._room.waiting += step
        self._hall.waiting += step
        self._hall.bytes += step * self._weight


def _weight(body: Body) -> int:
    """Return how many bytes of a body are in memory at most while its request waits."""
    if body.length is not None and isinstance(body, FixedBody):
        return body.length  # A middleware has read it.
    return MAX_UNREAD if body.length is None else min(body.length, MAX_UNREAD)
