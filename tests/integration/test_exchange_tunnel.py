"""Upgraded connections (WebSocket) over real sockets."""

import asyncio

import pytest

from tests.support.data_plane import (
    client,
    connected,
    data_plane,
    exchange_tasks,
    read_answer,
    read_head,
    until,
    upstream,
)

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def switch(reader: Reader, writer: Writer) -> None:
    """Serve one upgrade: the server's side of it."""
    head = (await read_head(reader)).lower()
    assert b"upgrade: websocket" in head
    assert b"connection: upgrade" in head
    writer.write(SWITCHED)


async def switched(reader: Reader, writer: Writer, behind: bytes = b"") -> None:
    """Ask for an upgrade: the client's side of it; ``behind`` is sent without waiting."""
    writer.write(UPGRADE + behind)
    head = (await read_head(reader)).lower()
    assert head.startswith(b"http/1.1 101 ")
    assert b"upgrade: websocket" in head


async def test_bytes_go_both_ways_and_none_is_lost_at_the_switch() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await switch(reader, writer)
        writer.write(b"first")  # In the same packet as the head.
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()

    async with connected(serve) as (plane, reader, writer):
        await switched(reader, writer, behind=b"early ")
        assert await reader.readexactly(5) == b"first"
        writer.write(b"late")
        assert await reader.readexactly(10) == b"EARLY LATE"
        size = 3_000_000
        writer.write(b"x" * size)
        assert await reader.readexactly(size) == b"X" * size
        writer.close()
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_each_side_may_close_in_its_own_time() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await switch(reader, writer)
        everything = await reader.read()  # Up to the client's half-close.
        writer.write(b"got " + everything)

    async with connected(serve) as (plane, reader, writer):
        await switched(reader, writer)
        writer.write(b"question")
        writer.write_eof()
        assert await reader.read() == b"got question"
        await until(lambda: not exchange_tasks() and not plane.connections and not plane.in_use())


async def test_server_may_close_its_side_first() -> None:
    received = asyncio.Queue[bytes]()

    async def serve(reader: Reader, writer: Writer) -> None:
        await switch(reader, writer)
        writer.write_eof()
        received.put_nowait(await reader.read())

    async with connected(serve) as (plane, reader, writer):
        await switched(reader, writer)
        assert await reader.read() == b""
        writer.write(b"still here")
        writer.write_eof()
        assert await asyncio.wait_for(received.get(), 5) == b"still here"
        await until(lambda: not exchange_tasks() and not plane.connections and not plane.in_use())


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_server_vanishes(reset: bool) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await switch(reader, writer)
        await reader.readexactly(3)
        if reset:
            writer.transport.abort()

    async with connected(serve) as (plane, reader, writer):
        await switched(reader, writer)
        writer.write(b"bye")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_client_that_is_reset_ends_the_tunnel_though_the_server_does_not_close() -> None:
    """A half-close would be waited on for ever; a connection that is gone must not be."""
    seen_eof, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await switch(reader, writer)
        await reader.read()
        seen_eof.set()
        await gone.wait()

    async with upstream(serve) as port, data_plane(port) as plane:
        try:
            async with client(plane.port) as (reader, writer):
                await switched(reader, writer)
                sock = writer.get_extra_info("socket")
                sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: close sends RST.
            await asyncio.wait_for(seen_eof.wait(), 5)
            await until(lambda: not exchange_tasks() and not plane.in_use(), 3)
        finally:
            gone.set()


async def test_refused_upgrade_is_an_ordinary_answer() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        for _ in range(2):
            await read_head(reader)
            writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno")

    async with connected(serve) as (_plane, reader, writer):
        for _ in range(2):
            writer.write(UPGRADE)
            assert (await read_answer(reader))[::2] == (400, b"no")


async def test_switch_nobody_asked_for_is_refused() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(SWITCHED)
        await reader.read()

    async with connected(serve) as (plane, reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_answer(reader))[0] == 500
        await until(lambda: not exchange_tasks() and not plane.in_use())
