"""The listening sockets of one worker, and those of absent workers it stands in for.

Every worker has a socket of its own per entry point, and the kernel gives it
its share of connections whether somebody accepts them or not. So each worker
inherits the sockets of all, and accepts from those of a worker that is away.
An entry point with a single socket (systemd's) is everybody's anyway.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

Serve = Callable[[str, socket.socket], Awaitable[asyncio.Server]]
"""Starts to serve an entry point on a socket, which the server then owns."""


class Listening:
    """The sockets the worker ``index`` accepts from.

    Args:
        index: The worker's number.
        descriptors: Inherited descriptors by entry point, one per worker or one for all.
        serve: Makes a server of a socket.
    """

    def __init__(self, index: int, descriptors: Mapping[str, Sequence[int]], serve: Serve) -> None:
        self._index = index
        self._descriptors = dict(descriptors)
        self._serve = serve
        self._servers: dict[str, dict[int, asyncio.Server]] = {name: {} for name in descriptors}
        """The servers of each entry point that is not closed, by place of the descriptor."""
        self._others: frozenset[int] = frozenset()
        self.is_open = False

    async def open(self) -> None:
        """Begin to accept."""
        self.is_open = True
        await self._accept()

    async def stand_in_for(self, workers: Iterable[int]) -> None:
        """Accept the connections of ``workers`` too, and no more those of all others."""
        self._others = frozenset(workers)
        if self.is_open:
            await self._accept()

    def close(self, name: str) -> None:
        """Accept no more at the entry point ``name``, for nobody."""
        for server in self._servers.pop(name, {}).values():
            server.close()
        for number in self._descriptors.pop(name, ()):
            os.close(number)

    async def _accept(self) -> None:
        for name, descriptors in list(self._descriptors.items()):
            wanted = {worker % len(descriptors) for worker in (self._index, *self._others)}
            servers = self._servers.get(name, {})
            for place in servers.keys() - wanted:
                servers.pop(place).close()
            for place in wanted - servers.keys():
                await self._add(name, place, descriptors[place])

    async def _add(self, name: str, place: int, number: int) -> None:
        # A copy: the server closes its socket, and we may need it again.
        server = await self._serve(name, socket.socket(fileno=os.dup(number)))
        if name in self._servers:
            self._servers[name][place] = server
        else:
            server.close()  # The entry point was closed meanwhile.
