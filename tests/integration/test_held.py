"""Requests that are held, over real sockets: dials that hang, bodies, clients that leave."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from edgerouter.http.message import Request, Response
from edgerouter.services import waiting
from edgerouter.services.waiting import Hall
from tests.support.data_plane import (
    DataPlane,
    client,
    data_plane,
    exchange_tasks,
    read_head,
    snapshot,
    until,
    upstream,
)

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


def hall_of(plane: DataPlane) -> Hall:
    return plane.builder.services._hall


MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(GET, id="get"),
        pytest.param(GET + GET * 10_000, id="pipelined"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MEGABYTE
            + bytes(MEGABYTE),
            id="body",
        ),
    ],
)
async def test_a_client_that_leaves_is_held_no_longer(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if we read no more of what it sends, and its end comes behind that."""
    monkeypatch.setattr(waiting, "LOOK", 0.02)
    statuses: list[int] = []

    def finished(request: Request, _: Response | None) -> None:
        statuses.append(request.exchange.status)

    async with data_plane(balancer={"tryDuration": PLENTY}) as plane:
        plane.entrypoint.finished = finished
        async with client(plane.port) as (_, writer), asyncio.timeout(PLENTY / 2):
            writer.write(sent)
            await until(lambda: hall_of(plane).waiting == 1)
            if len(sent) > MEGABYTE / 8:
                await until(lambda: all(each._paused for each in plane.clients()))
        await until(lambda: not exchange_tasks())
        assert statuses == [499]
        assert (hall_of(plane).waiting, hall_of(plane).bytes) == (0, 0)


async def test_a_body_that_waits_reaches_the_server_in_full() -> None:
    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        body = await reader.readexactly(MEGABYTE)
        assert body == bytes(range(256)) * 4096
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    balancer = {"tryDuration": PLENTY}
    async with (
        upstream(counting) as port,
        data_plane(balancer=balancer) as plane,
        client(plane.port) as (reader, writer),
        asyncio.timeout(PLENTY / 2),
    ):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MEGABYTE)
        writer.write(bytes(range(256)) * 4096)
        await until(lambda: hall_of(plane).bytes == waiting.MAX_UNREAD)
        plane.builder.apply({**snapshot((port,), {}, balancer), "version": 2})
        assert (await read_head(reader)).startswith(b"HTTP/1.1 204 ")
        assert hall_of(plane).bytes == 0


async def test_bodies_that_wait_are_limited_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_BYTES_IN_ALL", 1000)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n"
    async with (
        data_plane(balancer={"tryDuration": PLENTY}) as plane,
        client(plane.port) as (_, first),
        client(plane.port) as (_, without),
        client(plane.port) as (reader, second),
        asyncio.timeout(PLENTY / 2),
    ):
        first.write(post)
        await until(lambda: hall_of(plane).waiting == 1)
        without.write(GET)
        await until(lambda: hall_of(plane).waiting == 2)
        second.write(post)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 503 ")
        assert hall_of(plane).bytes == 600
