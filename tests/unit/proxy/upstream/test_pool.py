"""Kept connections at the moment at which their server closes them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edgerouter.proxy.forward import server_key
from edgerouter.proxy.upstream.connect import Address
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.proxy.upstream.pool import Pool, Pools
from tests.support.data_plane import until


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def kept(listening: socket.socket) -> tuple[Pool, UpstreamH1, socket.socket]:
    """A pool with one idle connection, and the server's end of it."""
    pool = Pools().get(Address(*listening.getsockname()), "", {})
    connection = await pool.connect()
    server, _ = listening.accept()
    answer = connection.begin("GET", lambda *_: None)
    server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    await answer
    return pool, connection, server


async def test_an_idle_connection_is_taken_whatever_the_method(listening: socket.socket) -> None:
    pool, connection, server = await kept(listening)
    with server:
        assert pool.take_idle(careful=True) is connection
        connection.abort()
        await asyncio.sleep(0)


async def test_a_closed_connection_is_seen_before_the_loop_tells(listening: socket.socket) -> None:
    pool, connection, server = await kept(listening)
    server.close()  # The event loop does not run between this and the next line.
    assert pool.take_idle(careful=True) is None
    await asyncio.sleep(0)
    assert connection.closed


async def test_connections_in_use_of_a_server_that_goes_are_looked_after(
    listening: socket.socket, tmp_path: Path
) -> None:
    pool = Pools().get(Address(*listening.getsockname()), "", {})
    connection = await pool.connect()
    pool.expect_end()
    own = connection._transport.get_extra_info("socket")
    assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
    assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
    connection.abort()
    await asyncio.sleep(0)
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "server"))
        local.listen()
        pool = Pools().get(Address(path=str(tmp_path / "server")), "", {})
        connection = await pool.connect()
        pool.expect_end()  # Nothing to be looked after.
        connection.abort()
        await asyncio.sleep(0)


async def test_idle_connections_of_a_server_that_goes_are_closed(listening: socket.socket) -> None:
    pool, connection, server = await kept(listening)
    with server:
        pool.expect_end()
        assert pool.in_use == 0, "what is being closed carries nothing"
        assert pool.take_idle() is None
        await asyncio.sleep(0)
        assert connection.closed
        again = await pool.connect()  # It may come back.
        again.abort()
        await asyncio.sleep(0)


async def test_what_is_under_way_is_counted_though_its_pool_was_replaced(
    listening: socket.socket,
) -> None:
    """Also while its connection is being opened."""
    pools, address = Pools(), Address(*listening.getsockname())
    pool = pools.get(address, "t", {})
    opening = asyncio.ensure_future(pool.connect())
    await asyncio.sleep(0)
    assert pools.in_use([address.key]) == 1
    connection = await opening
    pools.keep_only(set())
    assert pools.in_use([address.key]) == 1
    assert pools.in_use(["127.0.0.1:1"]) == 0
    connection.abort()
    await asyncio.sleep(0)
    assert pools.in_use([address.key]) == 0


@asynccontextmanager
async def released(
    listening: socket.socket, options: dict[str, float], count: int
) -> AsyncIterator[tuple[Pool, list[UpstreamH1]]]:
    """A pool and so many connections that were used at the same time and are free again."""
    pool = Pools().get(Address(*listening.getsockname()), "t", options)
    opened = [await pool.connect() for _ in range(count)]
    servers = [listening.accept()[0] for _ in opened]
    answers = [connection.begin("GET", lambda *_: None) for connection in opened]
    for server in servers:
        server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    await asyncio.gather(*answers)
    yield pool, opened
    pool.close()
    for server in servers:
        server.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(("most", "kept"), [(200, 4), (3, 3), (0, 2), (-1, 0)])
async def test_so_many_idle_connections_are_kept(
    listening: socket.socket, most: int, kept: int
) -> None:
    """``maxIdleConnsPerHost``; 0 is Go's default of two, less is none."""
    async with released(listening, {"maxIdleConnsPerHost": most}, 4) as (pool, opened):
        await until(lambda: sum(not each.closed for each in opened) == kept)
        assert len(pool._idle) == kept
        assert pool.in_use == 0


async def test_idle_connections_have_their_time(listening: socket.socket) -> None:
    """``idleConnTimeout`` counts from the last answer of each."""
    async with released(listening, {"idleConnTimeout": 0.1}, 2) as (pool, opened):
        began = asyncio.get_running_loop().time()
        assert pool.take_idle() is opened[1]
        await until(lambda: opened[0].closed)
        assert asyncio.get_running_loop().time() - began > 0.09
        assert not opened[1].closed, "it is in use"
        opened[1].abort()


async def test_idle_connections_without_a_time_stay(listening: socket.socket) -> None:
    async with released(listening, {"idleConnTimeout": 0.0}, 2) as (pool, _):
        assert len(pool._idle) == 2
        assert pool._sweeper is None


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://10.0.0.1", "10.0.0.1:80"),
        ("https://10.0.0.1/path", "10.0.0.1:443"),
        ("http://user@[::1]:8080", "::1:8080"),
        ("unix:///run/app.sock", "/run/app.sock"),
        ("h2c://10.0.0.1:99999", ""),
        ("http://[::1", ""),
    ],
)
def test_the_key_of_a_server(url: str, key: str) -> None:
    assert server_key(url) == key
