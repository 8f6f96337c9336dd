"""WebSockets whose server is removed from the configuration, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.data_plane import (
    DataPlane,
    client,
    data_plane,
    exchange_tasks,
    read_head,
    until,
    upstream,
)

CLOSE = b"\x88\x02\x03\xe9"
TEXT = b"\x81\x05hello"
MASKED = b"\x81\x85\0\0\0\0hello"
GRACE = 0.05
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


def upgrade(protocol: bytes) -> bytes:
    return (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    )


class Backend:
    """A server that switches, says hello, and keeps what it gets."""

    def __init__(self, says: bytes = TEXT) -> None:
        self._says = says
        self.got = b""
        self.ended = asyncio.Event()
        self.leave = asyncio.Event()
        self.writer: Writer | None = None

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.writer = writer
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        writer.write(self._says)
        leaves = asyncio.ensure_future(self.leave.wait())
        reads = asyncio.ensure_future(self._read(reader))
        await asyncio.wait((leaves, reads), return_when=asyncio.FIRST_COMPLETED)
        leaves.cancel()
        reads.cancel()
        self.ended.set()

    async def _read(self, reader: Reader) -> None:
        while data := await reader.read(65536):
            self.got += data


@asynccontextmanager
async def open_tunnel(
    backend: Backend, protocol: bytes = b"websocket"
) -> AsyncIterator[tuple[DataPlane, int, Reader, Writer]]:
    async with (
        upstream(backend) as port,
        data_plane(port) as plane,
        client(plane.port) as (reader, writer),
    ):
        tunnels = plane.builder.services.tunnels
        assert tunnels is not None
        tunnels.grace = GRACE
        writer.write(upgrade(protocol))
        assert (await read_head(reader)).startswith(b"HTTP/1.1 101 ")
        yield plane, port, reader, writer


def remove(plane: DataPlane) -> None:
    assert plane.builder.services.tunnels is not None
    plane.builder.services.tunnels.keep_only(())


async def test_both_sides_are_told_when_their_server_is_removed() -> None:
    backend = Backend()
    async with open_tunnel(backend) as (plane, _, reader, writer):
        writer.write(MASKED)
        assert await reader.readexactly(len(TEXT)) == TEXT
        await until(lambda: backend.got == MASKED)
        remove(plane)
        assert await reader.read() == CLOSE
        await backend.ended.wait()
        head, mask, code = backend.got[len(MASKED) :][:2], backend.got[-6:-2], backend.got[-2:]
        assert head == b"\x88\x82"
        assert bytes(a ^ b for a, b in zip(code, mask, strict=False)) == CLOSE[2:]
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_a_server_that_comes_back_keeps_its_tunnels() -> None:
    backend = Backend()
    async with open_tunnel(backend) as (plane, port, reader, _):
        await reader.readexactly(len(TEXT))
        remove(plane)
        assert plane.builder.services.tunnels is not None
        plane.builder.services.tunnels.keep_only({f"http://127.0.0.1:{port}"})
        await asyncio.sleep(2 * GRACE)
        assert backend.writer is not None
        backend.writer.write(TEXT)
        assert await reader.readexactly(len(TEXT)) == TEXT


async def test_a_frame_under_way_is_finished_first() -> None:
    backend = Backend(TEXT[:4])
    async with open_tunnel(backend) as (plane, _, reader, _writer):
        assert await reader.readexactly(4) == TEXT[:4]
        remove(plane)
        await asyncio.sleep(2 * GRACE)
        assert backend.writer is not None
        backend.writer.write(TEXT[4:])
        assert await reader.read() == TEXT[4:] + CLOSE


async def test_a_frame_that_never_ends_is_not_waited_for() -> None:
    backend = Backend(TEXT[:4])
    async with open_tunnel(backend) as (plane, _, reader, _writer):
        remove(plane)
        assert await reader.read() == TEXT[:4], "a Close frame here would be a part of the other"


async def test_other_tunnels_are_just_closed() -> None:
    backend = Backend()
    async with open_tunnel(backend, b"other") as (plane, _, reader, _writer):
        await reader.readexactly(len(TEXT))
        remove(plane)
        assert await reader.read() == b""
        await backend.ended.wait()
        assert backend.got == b""


async def test_a_fenced_server_that_ends_says_going_away() -> None:
    backend = Backend()
    async with open_tunnel(backend) as (plane, port, reader, _writer):
        await reader.readexactly(len(TEXT))
        plane.builder.fences.urls = frozenset([f"http://127.0.0.1:{port}"])
        backend.leave.set()
        assert await reader.read() == CLOSE


async def test_a_server_that_ends_otherwise_is_not_spoken_for() -> None:
    backend = Backend()
    async with open_tunnel(backend) as (_, _port, reader, _writer):
        await reader.readexactly(len(TEXT))
        backend.leave.set()
        assert await reader.read() == b""
