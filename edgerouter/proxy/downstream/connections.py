"""The open connections of one entry point."""

import asyncio
from collections.abc import Iterator
from typing import Protocol


class Connection(Protocol):
    """A client's connection, whatever it speaks."""

    def shut_down(self) -> None:
        """Close when idle; a connection with an exchange closes after it."""
        ...

    def end_tunnel(self) -> bool:
        """End an upgraded connection in order; tell whether it is one."""
        ...

    def abort(self) -> None:
        """Break off at once, whatever is under way."""
        ...


class Connections:
    """A set that can be waited for to become empty."""

    __slots__ = ("_connections", "_empty")

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._empty.clear()

    def discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections))

    async def emptied(self) -> None:
        """Wait until no connection is open."""
        await self._empty.wait()
