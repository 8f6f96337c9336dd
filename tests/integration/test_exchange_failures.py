"""Clients and servers that vanish, at every stage of an exchange."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest

from tests.support.data_plane import (
    DataPlane,
    answer,
    client,
    connected,
    data_plane,
    exchange_tasks,
    read_answer,
    read_head,
    until,
    upstream,
)
from tests.support.router_process import free_ports

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def assert_clean(plane: DataPlane) -> None:
    """Nothing of any exchange is left."""
    await until(lambda: not exchange_tasks() and not plane.in_use())


def breaks_with(data: bytes) -> Callable[[Reader, Writer], "asyncio.Future[None]"]:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(data)

    return serve  # type: ignore[return-value]


@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["silent", "in head"])
async def test_server_closes_before_its_answer_is_there(data: bytes, request_bytes: bytes) -> None:
    async with (
        upstream(breaks_with(data)) as port,
        data_plane(port) as plane,
        client(plane.port) as (reader, writer),
    ):
        for _ in range(2):  # The client's connection stays usable.
            writer.write(request_bytes)
            status, _, body = await read_answer(reader)
            assert (status, body) == (502, b"Bad Gateway")
        await assert_clean(plane)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nZZ\r\n",
    ],
    ids=["length", "chunked", "malformed chunk"],
)
async def test_server_breaks_off_its_body(data: bytes) -> None:
    """The client must be able to tell: neither the length is reached nor the last chunk comes."""
    async with (
        upstream(breaks_with(data)) as port,
        data_plane(port) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(GET)
        got = b""
        try:
            async with asyncio.timeout(5):
                while part := await reader.read(65536):
                    got += part
        except ConnectionResetError:
            pass
        assert b"0\r\n\r\n" not in got.partition(b"\r\n\r\n")[2]
        assert got.partition(b"\r\n\r\n")[2] in (b"", b"part", b"4\r\npart\r\n")
        await assert_clean(plane)


async def test_server_closes_in_the_middle_of_an_upload() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        await reader.readexactly(1000)

    async with connected(serve) as (plane, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        writer.write(b"x" * 50000)
        status, head, _ = await read_answer(reader)
        assert status == 502
        assert b"connection: close" in head.lower()
        await assert_clean(plane)


@pytest.mark.parametrize(("request_bytes", "expected"), [(GET, 200), (POST, 502)])
async def test_kept_alive_connection_that_died(request_bytes: bytes, expected: int) -> None:
    """A GET is sent again on a new connection; a POST may have been carried out."""
    connections = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await read_head(reader)
        writer.write(answer(b"%d" % connections))
        if connections == 1:
            await reader.readexactly(4)  # The next request: closed without a word.
            writer.transport.abort()
        else:
            await reader.read()

    async with connected(serve) as (plane, reader, writer):
        writer.write(GET)
        assert (await read_answer(reader))[2] == b"1"
        writer.write(request_bytes)
        assert (await read_answer(reader))[0] == expected
        assert connections == (2 if expected == 200 else 1)
        await assert_clean(plane)


async def test_connection_closed_while_idle_is_not_used_again() -> None:
    closed = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(answer(b"ok"))
        closed.set()

    async with connected(serve) as (plane, reader, writer):
        for _ in range(3):
            writer.write(POST)
            assert (await read_answer(reader))[0] == 200
            await until(lambda: not plane.upstream_connections())


async def test_refused_everywhere_is_502() -> None:
    async with data_plane(*free_ports(2)) as plane, client(plane.port) as (reader, writer):
        writer.write(GET)
        assert (await read_answer(reader))[0] == 502
        await assert_clean(plane)


@pytest.mark.parametrize("size", [0, 5, 300_000])
async def test_other_server_is_asked_when_one_refuses(size: int) -> None:
    """Nothing of the body is lost, whether it was read already or not."""
    seen: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_head(reader)
            seen.append(await reader.readexactly(size))
            writer.write(answer(b"ok"))

    async with (
        upstream(serve) as port,
        data_plane(*free_ports(1), port) as plane,
        client(plane.port) as (reader, writer),
    ):
        body = bytes(range(250)) * (size // 250) + b"hello"[: size % 250]
        for _ in range(4):
            method = b"POST" if size else b"GET"
            head = method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
            writer.write(head + body)
            assert (await read_answer(reader))[0] == 200
        assert seen == [body] * 4
        await assert_clean(plane)


async def test_server_that_never_answers_is_504() -> None:
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        await reader.read()
        gone.set()

    async with (
        upstream(serve) as port,
        data_plane(port, timeouts={"responseHeaderTimeout": 0.1}) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(GET)
        assert (await read_answer(reader))[0] == 504
        await asyncio.wait_for(gone.wait(), 5)
        await assert_clean(plane)


@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["GET", "POST"])
async def test_server_that_drips_its_head_is_504(request_bytes: bytes) -> None:
    """What comes of a head does not begin the time anew, and holds up nobody else."""
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        if b" /quick " in await read_head(reader):
            writer.write(answer(b"quick"))
            return
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.02)
                await writer.drain()
        except ConnectionError:
            gone.set()

    async with (
        upstream(serve) as port,
        data_plane(port, timeouts={"responseHeaderTimeout": 0.3}) as plane,
        client(plane.port) as (reader, writer),
        client(plane.port) as (other_reader, other_writer),
    ):
        began = asyncio.get_running_loop().time()
        writer.write(request_bytes)
        other_writer.write(GET.replace(b" / ", b" /quick "))
        assert (await read_answer(other_reader))[2] == b"quick"
        assert (await read_answer(reader))[0] == 504
        assert 0.25 < asyncio.get_running_loop().time() - began < 3
        await asyncio.wait_for(gone.wait(), 5)
        await assert_clean(plane)


async def test_server_that_drips_its_body_is_passed_on_as_it_comes() -> None:
    """Slowness of a body is no failure; the server is told when the client has enough of it."""
    more, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for byte in b"abc":
            writer.write(bytes((byte,)))
            await more.wait()
            more.clear()
        await reader.read()
        gone.set()

    async with upstream(serve) as port, data_plane(port) as plane:
        async with client(plane.port) as (reader, writer):
            writer.write(GET)
            await read_head(reader)
            for byte in b"abc":
                assert await reader.readexactly(1) == bytes((byte,))
                more.set()
        await asyncio.wait_for(gone.wait(), 5)
        await assert_clean(plane)


HALF_HEAD = b"GET / HTTP/1.1\r\nHo"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"
HALF_CHUNK = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("sent", [b"", HALF_HEAD], ids=["nothing", "head"])
async def test_client_vanishes_before_its_request(sent: bytes, reset: bool) -> None:
    async with data_plane(*free_ports(1)) as plane:
        async with client(plane.port) as (_, writer):
            writer.write(sent)
            await until(lambda: plane.connections)
            if reset:
                writer.transport.abort()
        await until(lambda: not plane.connections)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("sent", [HALF_BODY, HALF_CHUNK, GET], ids=["body", "chunk", "waiting"])
async def test_server_is_told_when_the_client_vanishes(sent: bytes, reset: bool) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        asked.set()
        try:
            await reader.read()
        finally:
            gone.set()

    async with upstream(serve) as port, data_plane(port) as plane:
        async with client(plane.port) as (_, writer):
            writer.write(sent)
            await asyncio.wait_for(asked.wait(), 5)
            if reset:
                writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 5)
        await until(lambda: not plane.connections)
        await assert_clean(plane)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_client_vanishes_in_the_middle_of_the_answer(reset: bool) -> None:
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart")
        await reader.read()
        gone.set()

    async with upstream(serve) as port, data_plane(port) as plane:
        async with client(plane.port) as (reader, writer):
            writer.write(GET)
            await read_head(reader)
            if reset:
                writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 5)
        await assert_clean(plane)


async def test_client_that_says_goodbye_and_does_not_read_ends_its_exchange() -> None:
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            async with asyncio.timeout(5):
                while not reader.at_eof():
                    writer.write(b"x" * 65536)
                    await writer.drain()
        except ConnectionError:
            gone.set()

    async with connected(serve) as (plane, reader, writer):
        writer.write(GET)
        await read_head(reader)
        await until(lambda: any(c._write_paused for c in plane.clients()))
        writer.write_eof()
        await asyncio.wait_for(gone.wait(), 3)
        await assert_clean(plane)


async def test_server_that_does_not_accept_is_504() -> None:
    """A full queue of a listener drops what comes: to dial it takes for ever."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        async with (
            data_plane(port, timeouts={"dialTimeout": 0.2}) as plane,
            client(plane.port) as (reader, writer),
        ):
            writer.write(GET)
            assert (await asyncio.wait_for(read_answer(reader), 5))[0] == 504
            await assert_clean(plane)
