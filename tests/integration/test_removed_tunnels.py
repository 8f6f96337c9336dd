"""WebSockets whose server is removed from the configuration, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from edgerouter.services import tunnels as tunnels_module
from edgerouter.services.tunnels import Frames
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
async def asked_for_tunnel(
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
        yield plane, port, reader, writer


@asynccontextmanager
async def open_tunnel(
    backend: Backend, protocol: bytes = b"websocket"
) -> AsyncIterator[tuple[DataPlane, int, Reader, Writer]]:
    async with asked_for_tunnel(backend, protocol) as (plane, port, reader, writer):
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


def binary(size: int) -> bytes:
    """A frame of the server with ``size`` bytes, more than 65535."""
    return b"\x82\x7f" + size.to_bytes(8, "big") + bytes(size)


def whole_frames(data: bytes) -> bool:
    frames = Frames()
    frames.feed(data)
    return frames.is_between


class Talkative(Backend):
    """Sends frames without a pause, of which none ends with a read of ours but by chance."""

    FRAME = binary(70_001)

    async def _read(self, reader: Reader) -> None:
        assert self.writer is not None
        with suppress(ConnectionError):
            while True:
                self.writer.write(self.FRAME)
                await self.writer.drain()


async def test_a_server_that_never_pauses_is_parted_from_between_two_frames() -> None:
    async with open_tunnel(Talkative()) as (plane, _, reader, _writer):
        received = await reader.readexactly(len(TEXT) + 3 * len(Talkative.FRAME))
        remove(plane)
        received += await reader.read()
        assert received.endswith(CLOSE)
        assert whole_frames(received)
        sent = received.removeprefix(TEXT).removesuffix(CLOSE)
        assert sent == Talkative.FRAME * (len(sent) // len(Talkative.FRAME))
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_a_client_that_never_pauses_is_parted_from_between_two_frames() -> None:
    frame = b"\x82\xfe\x10\x00" + bytes(4 + 4096)
    backend = Backend()
    async with open_tunnel(backend) as (plane, _, reader, writer):

        async def send() -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(frame)
                    await writer.drain()

        sending = asyncio.ensure_future(send())
        await until(lambda: len(backend.got) > 3 * len(frame))
        remove(plane)
        assert (await reader.read()).endswith(CLOSE)
        await backend.ended.wait()
        sending.cancel()
        assert backend.got[-8:-6] == b"\x88\x82"
        assert whole_frames(backend.got)
        assert (len(backend.got) - 8) % len(frame) == 0


@pytest.mark.parametrize("protocol", [b"websocket", b"other"])
async def test_a_client_that_does_not_read_is_cut(
    protocol: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels_module, "FAREWELL", GRACE)
    backend = Talkative()
    async with upstream(backend) as port, data_plane(port) as plane:
        tunnels = plane.builder.services.tunnels
        assert tunnels is not None
        tunnels.grace = GRACE
        with socket.create_connection(("127.0.0.1", plane.port)) as deaf:
            deaf.sendall(upgrade(protocol))
            await until(lambda: any(each._write_paused for each in plane.clients()))
            remove(plane)
            await until(lambda: not exchange_tasks() and not plane.clients())
            await until(lambda: not plane.in_use())
        await backend.ended.wait()


class Deaf(Backend):
    """Reads nothing, and says nothing after its first words."""

    async def _read(self, reader: Reader) -> None:
        await self.leave.wait()


async def test_a_server_that_does_not_read_does_not_keep_the_client_waiting() -> None:
    backend = Deaf()
    async with open_tunnel(backend) as (plane, _, reader, writer):
        writer.write(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
        is_full: Callable[[], bool] = lambda: any(c._write_paused for c in plane.in_use())  # noqa: E731
        while not is_full():
            writer.write(bytes(65536))
            await asyncio.sleep(0)
        await reader.readexactly(len(TEXT))
        remove(plane)
        assert await reader.readexactly(len(CLOSE)) == CLOSE
        backend.leave.set()


async def test_a_server_that_was_removed_before_it_switched() -> None:
    """Its tunnel gets the time of all others, and the same end."""
    asked, switch = asyncio.Event(), asyncio.Event()

    class Late(Backend):
        async def __call__(self, reader: Reader, writer: Writer) -> None:
            asked.set()
            await switch.wait()
            await super().__call__(reader, writer)

    backend = Late()
    async with asked_for_tunnel(backend) as (plane, _, reader, _):
        await asked.wait()
        plane.builder.apply({**snapshot((), {}, {}), "version": 2})
        await asyncio.sleep(2 * GRACE)
        switch.set()
        assert (await read_head(reader)).startswith(b"HTTP/1.1 101 ")
        assert await reader.read() == TEXT + CLOSE
        await backend.ended.wait()
        assert backend.got[:2] == b"\x88\x82"


@pytest.mark.parametrize("cut", range(1, 12))
def test_where_frames_end(cut: int) -> None:
    """However the bytes are cut."""
    data = TEXT + b"\x01\x02he" + b"\x88\x00"  # 7, 4 and 2 bytes.
    frames = Frames()
    ends = [end for end in (0, 7, 11, 13) if end <= cut]
    assert frames.feed(data[:cut]) == ends[-1]
    assert not frames.is_closed
    assert frames.feed(data[cut:]) == 13 - cut
    assert frames.is_closed
    assert frames.is_between


def test_a_close_frame_counts_when_it_is_whole() -> None:
    frames = Frames()
    assert frames.feed(CLOSE[:3]) == 0
    assert not frames.is_closed
    assert frames.feed(CLOSE[3:]) == 1
    assert frames.is_closed
