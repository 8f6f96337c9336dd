"""Hold and wait: requests to a service without a server wait for one to come.

A container that is replaced is gone before the next one is there; with
``tryDuration`` its clients see a slow answer instead of an error. Waiting is
bounded in time, in number per service and in number per worker; bodies are not
read meanwhile, so a waiting request costs its head.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from edgerouter.http.errors import ConnectFailed, ExchangeError, NoServer
from edgerouter.http.message import Request, Response

MAX_WAITING = 256
"""Requests that wait for one service in one worker, unless ``maxWaiting`` says otherwise."""
MAX_WAITING_IN_ALL = 2048
"""Requests that wait in one worker."""
INTERVAL = 0.25
"""Seconds between two attempts while servers refuse connections."""


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

    def room(self, service: str, duration: float, max_waiting: int) -> "Room":
        """Return the room of ``service``, with new limits."""
        room = self._rooms.get(service)
        if room is None:
            room = self._rooms[service] = Room(self)
        room.duration, room.max_waiting = duration, max_waiting
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
        """Seconds a request waits at most."""
        self.max_waiting = MAX_WAITING
        self.waiting = 0
        self.current: Attempt | None = None
        """The service as it is now; a new one takes over the waiting requests."""

    def wake(self) -> None:
        """Let everybody try: a server has come."""
        self._woken.set()
        self._woken = asyncio.Event()

    async def serve(self, request: Request, service: Attempt) -> Response:
        """Ask ``service``, or whatever has taken its place, until a server takes the request.

        Raises:
            ExchangeError: None did in time, or too many requests wait already.
        """
        woken = self._woken
        try:
            return await service.attempt(request)
        except (NoServer, ConnectFailed) as error:
            return await self._hold(request, service, error, woken)

    async def _hold(
        self, request: Request, service: Attempt, error: ExchangeError, woken: asyncio.Event
    ) -> Response:
        if self.waiting >= self.max_waiting or self._hall.waiting >= MAX_WAITING_IN_ALL:
            message = f"{error}; {self.waiting} requests wait for {service.name} already"
            raise NoServer(message) from error
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.duration
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
                    return await (self.current or service).attempt(request)
                except (NoServer, ConnectFailed) as newest:
                    error = newest
            message = f"{error}, for {self.duration:g} s"
            raise type(error)(message) from error
        finally:
            self.waiting -= 1
            self._hall.waiting -= 1
