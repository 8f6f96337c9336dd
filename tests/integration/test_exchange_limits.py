"""Time-outs, connection limits and back-pressure of the data plane, in the test's process."""

import asyncio
import time

from tests.support.data_plane import (
    answer,
    client,
    data_plane,
    exchange_tasks,
    read_answer,
    read_head,
    until,
    upstream,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def serve_ok(reader: Reader, writer: Writer) -> None:
    while True:
        await read_head(reader)
        writer.write(answer(b"ok"))


async def take_upload(reader: Reader, writer: Writer) -> None:
    head = await read_head(reader)
    size = int(head.lower().partition(b"content-length: ")[2].split()[0])
    writer.write(answer(b"%d" % len(await reader.readexactly(size))))


async def take_uploads(reader: Reader, writer: Writer) -> None:
    while True:
        await take_upload(reader, writer)


def responding(**timeouts: float) -> dict[str, object]:
    return {"transport": {"respondingTimeouts": timeouts}}


async def test_head_that_does_not_come_is_408() -> None:
    async with (
        data_plane(9, options=responding(readTimeout=0.1)) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(b"GET / HT")
        status, _, _ = await read_answer(reader)
        assert status == 408
        assert await reader.read() == b""


async def test_read_timeout_is_for_the_whole_request() -> None:
    """Set, it means what it means in Traefik: however steadily the client sends."""
    async with (
        upstream(take_upload) as port,
        data_plane(port, options=responding(readTimeout=0.3)) as plane,
        client(plane.port) as (reader, writer),
    ):
        start = time.monotonic()
        writer.write(UPLOAD % 1000)
        got = asyncio.ensure_future(read_answer(reader))
        while not got.done() and time.monotonic() < start + 3:
            writer.write(b"x")
            await asyncio.sleep(0.02)
        assert (await got)[0] == 408
        assert 0.25 < time.monotonic() - start < 1.5
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_read_timeout_is_for_each_request_of_a_connection() -> None:
    """Whether a connection waits for a request has nothing to do with how long that may take."""
    for idle, read, status in ((30, 0.3, 408), (0.2, 5, 200)):
        async with (
            upstream(take_uploads) as port,
            data_plane(port, options=responding(idleTimeout=idle, readTimeout=read)) as plane,
            client(plane.port) as (reader, writer),
        ):
            for size in (1, 40):
                start = time.monotonic()
                writer.write(UPLOAD % size)
                got = asyncio.ensure_future(read_answer(reader))
                for _ in range(size):
                    writer.write(b"x")
                    if size > 1:
                        await asyncio.sleep(0.02)
                answered = (await got)[0]
            assert answered == status
            assert time.monotonic() - start < 3


async def test_write_timeout_does_not_lift_the_read_timeout() -> None:
    async with (
        upstream(take_upload) as port,
        data_plane(port, options=responding(readTimeout=0.2, writeTimeout=20)) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(UPLOAD % 10 + b"x")
        assert (await asyncio.wait_for(read_answer(reader), 3))[0] == 408


async def test_write_timeout_counts_from_the_head_however_long_the_body_is() -> None:
    async with (
        upstream(take_upload) as port,
        data_plane(port, options=responding(writeTimeout=0.3)) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(UPLOAD % 1000)
        ended = asyncio.ensure_future(reader.read())
        start = time.monotonic()
        while not ended.done() and time.monotonic() < start + 3:
            writer.write(b"x")
            await asyncio.sleep(0.02)
        (said,) = await asyncio.gather(ended, return_exceptions=True)
        assert said == b"" or isinstance(said, ConnectionError)
        assert time.monotonic() - start < 2
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_unset_a_slow_but_steady_upload_is_not_cut() -> None:
    async with upstream(take_upload) as port, data_plane(port) as plane:
        plane.entrypoint.head_timeout = 0.2
        async with client(plane.port) as (reader, writer):
            writer.write(UPLOAD % 40)
            for _ in range(40):
                writer.write(b"x")
                await asyncio.sleep(0.02)
            assert (await read_answer(reader))[::2] == (200, b"40")


async def test_unset_an_upload_that_stops_is_408() -> None:
    async with upstream(take_upload) as port, data_plane(port) as plane:
        plane.entrypoint.head_timeout = 0.2
        async with client(plane.port) as (reader, writer):
            writer.write(UPLOAD % 40 + b"x")
            assert (await asyncio.wait_for(read_answer(reader), 3))[0] == 408
            await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_unset_a_server_that_takes_its_time_is_not_the_clients_fault() -> None:
    """The upload is paused by the server; the client's clock must stand still."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        await asyncio.sleep(0.6)
        writer.write(answer(b"%d" % len(await reader.readexactly(8_000_000))))

    async with upstream(serve) as port, data_plane(port) as plane:
        plane.entrypoint.head_timeout = 0.2
        async with client(plane.port) as (reader, writer):
            writer.write(UPLOAD % 8_000_000 + b"x" * 8_000_000)
            assert (await read_answer(reader))[::2] == (200, b"8000000")


async def test_idle_connection_is_closed_after_idle_timeout() -> None:
    async with (
        upstream(serve_ok) as port,
        data_plane(port, options=responding(idleTimeout=0.1)) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(GET)
        await read_answer(reader)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        assert not plane.connections


async def test_write_timeout_breaks_off_an_answer_that_takes_too_long() -> None:
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart")
        await reader.read()
        gone.set()

    async with (
        upstream(serve) as port,
        data_plane(port, options=responding(writeTimeout=0.2)) as plane,
        client(plane.port) as (_reader, writer),
    ):
        told: list[tuple[int, str]] = []
        plane.entrypoint.finished = lambda request, _: told.append(
            (request.exchange.status, request.exchange.error)
        )
        writer.write(GET)
        await asyncio.wait_for(gone.wait(), 3)
        await until(lambda: not exchange_tasks() and not plane.connections)
        assert told == [(499, "the answer took longer than writeTimeout")]


async def test_keep_alive_limits() -> None:
    for options, count in (
        ({"transport": {"keepAliveMaxRequests": 3}}, 3),
        ({"transport": {"keepAliveMaxTime": 0.001}}, 1),
    ):
        async with (
            upstream(serve_ok) as port,
            data_plane(port, options=options) as plane,
            client(plane.port) as (reader, writer),
        ):
            for number in range(1, count + 1):
                await asyncio.sleep(0.002)
                writer.write(GET)
                _, head, _ = await read_answer(reader)
                assert (b"connection: close" in head.lower()) == (number == count)
            assert await asyncio.wait_for(reader.read(), 3) == b""


async def test_slow_reader_pauses_the_server() -> None:
    """What is not read stays with the sender: sockets' and our buffers are all it can fill."""
    sent = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(2000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with (
        upstream(serve) as port,
        data_plane(port) as plane,
        client(plane.port) as (_reader, writer),
    ):
        writer.write(GET)
        await until(lambda: any(c._write_paused for c in plane.clients()))
        before = -1
        while before != sent:  # Until it stands still.
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 40_000_000
        (connection,) = plane.clients()
        assert connection._transport.get_write_buffer_size() < 2_000_000
        writer.transport.abort()
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_server_that_does_not_read_pauses_the_client() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    async with (
        upstream(serve) as port,
        data_plane(port) as plane,
        client(plane.port) as (_, writer),
    ):
        size = 100_000_000
        writer.write(UPLOAD % size + b"x" * size)
        before = -1
        while before != (left := writer.transport.get_write_buffer_size()):
            before = left
            await asyncio.sleep(0.1)
        assert left > size - 40_000_000
        for connection in plane.upstream_connections():
            assert connection._transport.get_write_buffer_size() < 2_000_000
        writer.transport.abort()
        await until(lambda: not exchange_tasks() and not plane.in_use())
