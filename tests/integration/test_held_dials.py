"""Requests whose connection to a server hangs, over real sockets."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.data_plane import client, data_plane, read_head, snapshot, until, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PLENTY = 30.0


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server whose queue of connections is full: the kernel drops what comes."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        for _ in range(3):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(("127.0.0.1", port))
        yield port


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def test_a_new_server_is_asked_at_once(deaf: int) -> None:
    balancer = {"tryDuration": PLENTY}
    async with (
        upstream(answering) as port,
        data_plane(deaf, balancer=balancer) as plane,
        client(plane.port) as (reader, writer),
        asyncio.timeout(PLENTY / 2),
    ):
        writer.write(GET)
        pools = plane.builder.pools
        await until(lambda: pools.in_use([f"127.0.0.1:{deaf}"]) == 1)
        plane.builder.apply({**snapshot((deaf, port), {}, balancer), "version": 2})
        assert (await read_head(reader)).startswith(b"HTTP/1.1 200 ")
        assert pools.in_use([f"127.0.0.1:{deaf}"]) == 0


async def test_the_dial_ends_with_the_time_of_the_request(deaf: int) -> None:
    async with (
        data_plane(deaf, balancer={"tryDuration": 0.1}) as plane,
        client(plane.port) as (reader, writer),
        asyncio.timeout(PLENTY / 2),
    ):
        writer.write(GET)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 504 ")
