"""Hold and wait: requests to a service without a server wait for one to come.

A container that is replaced is gone before the next one is there; its clients see
a slow answer instead of an error. With ``tryDuration`` each request waits that long;
with ``hold``, the default of containers, all wait until that time has passed since
the service lost its last server, so that one that is gone for good fails at once.
Waiting is bounded in number per service and in number per worker too; bodies are
not read meanwhile, so a waiting request costs its head.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from edgerouter.http.errors import ConnectFailed, ExchangeError, NoServer, UpstreamReset
from edgerouter.http.message import Request, Response

MAX_WAITING = 256
"""Requests that wait for one service in one worker, unless ``maxWaiting`` says otherwise."""
MAX_WAITING_IN_ALL = 2048
"""Requests that wait in one worker."""
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
        self._rooms: dict[str, Room] = {}

    def room(self, service: str, duration: float, max_waiting: int, hold: float = 0.0) -> "Room":
        """Return the room of ``service``, with new limits."""
        room = self._rooms.get(service)
        if room is None:
            room = self._rooms[service] = Room(self)
        room.duration, room.hold, room.max_waiting = duration, hold, max_waiting
        return room

    def keep_only(self, services: set[str]) -> None:
        """Forget the rooms of services that are gone and have nobody waiting."""
        for name, room in list(self._rooms.items()):
            if name not in services and not room.waiting:
                del self._rooms[name]


class Room:
    """Where the requests of one service wait."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._woken = asyncio.Event()
        self.duration = 0.0
        """Seconds a request waits at most; 0: ``hold`` counts."""
        self.hold = 0.0
        """Seconds for which requests wait after the service began to fail."""
        self._empty_since: float | None = None
        self._refused_since: float | None = None
        self.max_waiting = MAX_WAITING
        self.waiting = 0
        self.current: Attempt | None = None
        """The service as it is now; a new one takes over the waiting requests."""

    def wake(self) -> None:
        """Let everybody try: a server has come."""
        self._empty_since = None
        self._woken.set()
        self._woken = asyncio.Event()

    def empty(self) -> None:
        """Take note that there is no server now."""
        if self._empty_since is None:
            self._empty_since = asyncio.get_running_loop().time()

    def _deadline(self, error: ExchangeError, now: float) -> float:
        """Return until when a request may wait that failed with ``error``."""
        if self.duration:
            return now + self.duration
        since = self._empty_since
        if not isinstance(error, NoServer) or since is None:
            since = self._refused_since = self._refused_since or now
        return since + self.hold

    async def serve(self, request: Request, service: Attempt) -> Response:
        """Ask ``service``, or whatever has taken its place, until a server takes the request.

        Raises:
            ExchangeError: None did in time, or too many requests wait already.
        """
        woken = self._woken
        try:
            response = await service.attempt(request)
        except _FAILURES as error:
            if isinstance(error, UpstreamReset) and not self.repeats(request):
                raise
            return await self._hold(request, service, error, woken)
        self._refused_since = None
        return response

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
        loop = asyncio.get_running_loop()
        began = loop.time()
        deadline = self._deadline(error, began)
        self.waiting += 1
        self._hall.waiting += 1
        try:
            while (left := deadline - loop.time()) > 0:
                # Without a server only news help; a server that refuses may listen any moment.
                pause = left if isinstance(error, NoServer) else min(left, INTERVAL)
                try:
                    async with asyncio.timeout(pause):
                        await woken.wait()
                except TimeoutError:
                    pass
                woken = self._woken
                try:
                    response = await (self.current or service).attempt(request)
                except _FAILURES as newest:
                    error = newest
                    if isinstance(error, UpstreamReset) and not self.repeats(request):
                        raise
                else:
                    self._refused_since = None
                    return response
            waited = loop.time() - began
            message = f"{error}, for {self.duration or waited:.2g} s" if waited else str(error)
            raise type(error)(message) from error
        finally:
            self.waiting -= 1
            self._hall.waiting -= 1
