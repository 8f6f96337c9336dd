"""Kept connections at the moment at which their server closes them."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from edgerouter.proxy.forward import server_key
from edgerouter.proxy.upstream.connect import Address
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.proxy.upstream.pool import Pool, Pools


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


async def test_idle_connections_of_a_server_that_goes_are_closed(listening: socket.socket) -> None:
    pool, connection, server = await kept(listening)
    with server:
        pool.close_idle()
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
