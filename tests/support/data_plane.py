"""The data plane inside the test's own process, on real loopback sockets.

``data_plane`` routes everything to the given servers, built like a worker
builds it, so that a test can look at tasks, pools and connections.
``upstream`` is a server whose connections a coroutine of the test serves.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from edgerouter.config.decode import decode
from edgerouter.middleware import options_of
from edgerouter.proxy.downstream.accept import Entrance
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.downstream.h1 import DownstreamH1
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class DataPlane:
    """One entry point with one route to one load balancer."""

    def __init__(self, entrypoint: EntryPoint, builder: Builder) -> None:
        self.entrypoint = entrypoint
        self.builder = builder
        self.connections = Connections()
        self.port = 0

    def clients(self) -> list[DownstreamH1]:
        """Return the open connections of clients."""
        return [each for each in self.connections if isinstance(each, DownstreamH1)]

    def upstream_connections(self) -> set[UpstreamH1]:
        """Return the open connections to servers."""
        pools = self.builder.pools._pools.values()
        return {connection for pool in pools for connection in pool._open}

    def idle_connections(self) -> list[UpstreamH1]:
        """Return those of them that are free."""
        pools = self.builder.pools._pools.values()
        return [connection for pool in pools for connection in pool._idle]

    def in_use(self) -> set[UpstreamH1]:
        """Return the connections to servers that an exchange holds."""
        return self.upstream_connections() - set(self.idle_connections())


@asynccontextmanager
async def data_plane(
    *ports: int,
    options: Mapping[str, Any] | None = None,
    timeouts: Mapping[str, float] | None = None,
    balancer: Mapping[str, Any] | None = None,
    middlewares: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> AsyncIterator[DataPlane]:
    """Serve everything by the servers at ``ports``; nothing may be left running at the end.

    ``middlewares`` are types with their options as a file has them, the first outermost; the
    service is called ``all@file``.
    """
    frame = snapshot(ports, timeouts or {}, balancer or {}, middlewares)
    async with serving(frame, options) as plane:
        yield plane


@asynccontextmanager
async def serving(
    frame: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> AsyncIterator[DataPlane]:
    """Serve a snapshot of the entry point ``web``; nothing may be left running at the end."""
    entrypoint = EntryPoint("web", options or {})
    unmatched = Unmatched()
    builder = Builder(
        {"web": entrypoint},
        admin="",
        ping_status=503,
        life_cycle=LifeCycle(),
        unmatched=unmatched,
    )
    errors = builder.apply(frame)
    assert not errors
    plane = DataPlane(entrypoint, builder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Entrance(entrypoint, plane.connections, loop), "127.0.0.1", 0
    )
    plane.port = server.sockets[0].getsockname()[1]
    try:
        yield plane
    finally:
        server.close()
        for connection in list(plane.connections):
            connection.abort()
        builder.pools.close()
        await until(lambda: not plane.connections)
        for upstream_connection in plane.upstream_connections():
            upstream_connection.abort()
        await asyncio.sleep(0)


def snapshot(
    ports: Sequence[int],
    timeouts: Mapping[str, float],
    options: Mapping[str, Any],
    middlewares: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> dict[str, Any]:
    """Return a configuration that routes everything to a load balancer with ``options``."""
    built = {f"m{n}@file": _definition(*each) for n, each in enumerate(middlewares)}
    servers = [{"url": f"http://127.0.0.1:{port}", "weight": 1} for port in ports]
    router = {
        "entryPoints": ["web"],
        "rule": "PathPrefix(`/`)",
        "ruleSyntax": "v3",
        "priority": 1,
        "precedence": 1,
        "middlewares": list(built),
        "service": "all@file",
        "observability": {"accessLogs": True},
    }
    balancer = {"servers": servers, "passHostHeader": True, "serversTransport": "", **options}
    return {
        "version": 1,
        "routers": {"all@file": router},
        "middlewares": built,
        "services": {"all@file": {"type": "loadBalancer", "options": balancer}},
        "serversTransports": {"default@internal": {"forwardingTimeouts": dict(timeouts)}},
    }


def _definition(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    decoded = decode(options_of(kind), options)
    assert decoded.problems == []
    return {"type": kind, "options": dataclasses.asdict(decoded.value)}


@asynccontextmanager
async def upstream(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection by ``serve`` and close it afterwards; give the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The router broke off; a test that cares has seen it itself.
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to ``port``, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def connected(
    serve: Serve,
) -> AsyncIterator[tuple[DataPlane, asyncio.StreamReader, asyncio.StreamWriter]]:
    """The data plane in front of ``serve``, and one client's connection to it."""
    async with (
        upstream(serve) as port,
        data_plane(port) as plane,
        client(plane.port) as (reader, writer),
    ):
        yield plane, reader, writer


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Return a head with its empty line."""
    return await reader.readuntil(b"\r\n\r\n")


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a response with ``Content-Length``."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Return status, head and body of a response with ``Content-Length``."""
    head = await read_head(reader)
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    return int(head.split()[1]), head, await reader.readexactly(size)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until ``condition`` holds.

    Raises:
        TimeoutError: It did not come to hold in time.
    """
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def exchange_tasks() -> list[str]:
    """Return the data plane's tasks that are running."""
    names = ("DownstreamH1", "UpstreamH1", "pump", "Target")
    return [text for task in asyncio.all_tasks() if any(n in (text := repr(task)) for n in names)]
