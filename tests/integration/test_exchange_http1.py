"""What an exchange carries, byte for byte, over real sockets: HTTP/1.1's many shapes."""

import asyncio
import gc
import json
import re

import pytest

from edgerouter.proxy.downstream.h1 import DownstreamH1
from tests.support.data_plane import (
    answer,
    connected,
    data_plane,
    exchange_tasks,
    read_answer,
    read_head,
    until,
)
from tests.support.echo_server import EchoServer
from tests.support.raw_http import exchange

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def ask_echo(order: dict[str, object], *, method: str = "GET", count: int = 1):  # type: ignore[no-untyped-def]
    """Send ``count`` equal requests at once to an echo server behind the router."""
    head = f"{method} / HTTP/1.1\r\nHost: a\r\nX-Echo: {json.dumps(order)}\r\n\r\n".encode()
    with EchoServer(["a"]) as echo:
        async with data_plane(echo.ports["a"]) as plane:
            answers = await asyncio.to_thread(
                exchange, plane.port, head * count, method=method, count=count
            )
            await until(lambda: not exchange_tasks() and not plane.in_use())
            return answers


async def test_pipelined_requests_are_answered_in_order_on_one_connection() -> None:
    paths: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            path = (await read_head(reader)).split()[1]
            paths.append(path)
            await asyncio.sleep(0.02 if path == b"/0" else 0)  # The first is the slowest.
            writer.write(answer(path))

    async with connected(serve) as (plane, reader, writer):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(50)))
        for number in range(50):
            assert (await read_answer(reader))[2] == b"/%d" % number
        assert len(paths) == 50
        assert len(plane.upstream_connections()) == 1


async def test_request_behind_a_body_is_not_taken_for_body() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        for size in (5, 0):
            await read_head(reader)
            writer.write(answer(await reader.readexactly(size)))

    async with connected(serve) as (_plane, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET)
        assert (await read_answer(reader))[2] == b"hello"
        assert (await read_answer(reader))[2] == b""


async def test_chunks_and_trailers_go_both_ways() -> None:
    order = json.dumps({"chunked": True, "trailers": [["X-End", "down"]]}).encode()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nX-Echo: " + order
    request = head + b"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    body = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Sum: up\r\n\r\n"
    with EchoServer(["a"]) as echo:
        async with data_plane(echo.ports["a"]) as plane:
            (got,) = await asyncio.to_thread(exchange, plane.port, request + body)
    assert (got.status, got.complete, got.trailers) == (200, True, [("X-End", "down")])
    facts = json.loads(got.body)
    assert facts["body"][0] == len(b"hello world")
    assert facts["trailers"] == [["X-Sum", "up"]]


async def test_early_hints_are_passed_on_before_the_answer() -> None:
    (got,) = await ask_echo({"interim": [[103, [["Link", "</a.css>"]]]], "body": "ok"})
    assert [(status, dict(pairs)) for status, pairs in got.interim] == [(103, {"Link": "</a.css>"})]
    assert (got.status, got.body) == (200, b"ok")


async def test_head_has_the_length_and_no_body() -> None:
    answers = await ask_echo({"body": "hello"}, method="HEAD", count=3)
    assert [(got.status, got.get("content-length")) for got in answers] == [(200, "5")] * 3


async def test_head_of_a_chunked_answer_has_no_body() -> None:
    answers = await ask_echo({"chunked": True}, method="HEAD", count=3)
    assert [got.status for got in answers] == [200] * 3


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_leave_the_connection_usable(status: int) -> None:
    answers = await ask_echo({"status": status}, count=3)
    assert [got.status for got in answers] == [status] * 3
    assert not any(got.get("transfer-encoding") for got in answers)


async def raw_answers(*sent: bytes) -> tuple[bytes, int]:
    """Return what a client gets when servers answer in turn, and how many connections were made.

    Every answer ends with ``~``; a ``Date`` is left out.
    """
    waiting = list(sent)
    connections = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read_head(reader)
            writer.write(waiting.pop(0))

    got = b""
    async with connected(serve) as (_plane, reader, writer):
        for _ in sent:
            writer.write(GET)
            got += await asyncio.wait_for(reader.readuntil(b"~"), 5)
    return re.sub(rb"Date: [^\r]+\r\n", b"", got), connections


async def test_interim_answers_have_a_whole_status_line() -> None:
    head = b"HTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n"
    got, _ = await raw_answers(head + answer(b"~"))
    assert got == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 199 \r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n~"
    )


@pytest.mark.parametrize("line", [b"204 No Content", b"304 Not Modified"])
async def test_what_has_no_content_has_no_length(line: bytes) -> None:
    """Whatever the server says; its connection is not used again behind such an answer."""
    bodiless = b"HTTP/1.1 " + line + b"\r\nContent-Length: 5\r\nX-End: ~\r\n\r\n"
    got, _ = await raw_answers(bodiless, answer(b"~"))
    whole = b"HTTP/1.1 " + line + b"\r\nX-End: ~\r\n\r\n"
    assert got == whole + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n~"


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"content-length: x\r\nConnection: keep-alive\r\ntransfer-encoding: chunked",
    ],
)
async def test_a_length_beside_chunks_is_dropped_and_the_connection_used_no_more(
    framing: bytes,
) -> None:
    chunks = b"1\r\na\r\n2\r\nb~\r\n0\r\n\r\n"
    confused = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + chunks
    got, connections = await raw_answers(confused, answer(b"~"))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab~\r\n0\r\n\r\n"
    assert got == chunked + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n~"
    assert connections == 2


@pytest.mark.parametrize("status", [b"099", b"000"])
async def test_a_status_that_is_none_is_a_malformed_answer(status: bytes) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 " + status + b" Odd\r\n\r\n" + answer(b"ok"))

    async with connected(serve) as (_plane, reader, writer):
        writer.write(GET)
        assert (await read_answer(reader))[::2] == (500, b"Internal Server Error")


async def test_continue_is_sent_when_the_body_is_wanted() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        head = await read_head(reader)
        assert b"expect: 100-continue" in head.lower()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(answer(await reader.readexactly(5)))

    async with connected(serve) as (_plane, reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await read_head(reader)).startswith(b"HTTP/1.1 100 ")
        writer.write(b"hello")
        assert (await read_answer(reader))[::2] == (200, b"hello")


async def test_server_refuses_the_body_by_its_answer() -> None:
    """The body is not asked for, and neither connection waits for it afterwards."""
    gone = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(answer(b"no", status=b"417 Expectation Failed"))
        assert await reader.read() == b""
        gone.set()

    async with connected(serve) as (plane, reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        status, head, body = await read_answer(reader)
        assert (status, body) == (417, b"no")
        assert b"connection: close" in head.lower()
        await asyncio.wait_for(gone.wait(), 3)
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_final_answer_before_the_body_is_complete() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(answer(b"too much", status=b"413 Too Large"))
        await reader.read()

    async with connected(serve) as (plane, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nbeginning")
        status, head, body = await read_answer(reader)
        assert (status, body) == (413, b"too much")
        assert b"connection: close" in head.lower()
        await until(lambda: not exchange_tasks() and not plane.in_use())


async def test_each_event_arrives_before_the_next_is_sent() -> None:
    next_one = asyncio.Queue[bytes]()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        while event := await next_one.get():
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        writer.write(b"0\r\n\r\n")

    async with connected(serve) as (_plane, reader, writer):
        writer.write(GET)
        for number in range(20):
            event = b"data: %d\n\n" % number
            next_one.put_nowait(event)
            if not number:
                await read_head(reader)
            assert await reader.readuntil(b"\r\n") == b"%x\r\n" % len(event)
            assert await reader.readexactly(len(event) + 2) == event + b"\r\n"
        next_one.put_nowait(b"")
        assert await reader.readexactly(5) == b"0\r\n\r\n"


async def test_head_of_a_stream_is_sent_before_its_first_byte() -> None:
    """An event source counts as open at its head; the first event may be minutes away."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await reader.read()

    async with connected(serve) as (_plane, reader, writer):
        writer.write(GET)
        head = await asyncio.wait_for(read_head(reader), 3)
        assert b"text/event-stream" in head


@pytest.mark.parametrize("split", [False, True])
async def test_an_empty_chunked_answer_leaves_both_connections_usable(split: bool) -> None:
    """Its end comes with the head, or behind it."""
    head, end = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_head(reader)
            if split:
                writer.write(head)
                await sent.wait()
                sent.clear()
                writer.write(end)
            else:
                writer.write(head + end)

    sent = asyncio.Event()
    async with connected(serve) as (plane, reader, writer):
        for _ in range(100):
            writer.write(GET)
            assert b"transfer-encoding: chunked" in (await read_head(reader)).lower()
            sent.set()
            assert await reader.readexactly(5) == end
        await until(lambda: not exchange_tasks() and not plane.in_use())
        assert len(plane.upstream_connections()) == 1
        assert len(plane.clients()) == 1


async def test_a_chunked_answer_to_http_1_0_is_unchunked_and_ends_with_the_connection() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n")
        writer.write(b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")

    async with connected(serve) as (_, reader, writer):
        writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head = (await read_head(reader)).lower()
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert await reader.read() == b"hello world"


async def test_http_1_0_keeps_the_connection_when_it_asks_to() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_head(reader)
            writer.write(answer(b"x"))

    async with connected(serve) as (_, reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            status, head, body = await read_answer(reader)
            assert (status, body) == (200, b"x")
            assert b"connection: keep-alive" in head.lower()
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await read_answer(reader))[0] == 200
        assert await reader.read() == b""


async def test_connections_that_are_over_leave_nothing_to_the_collector() -> None:
    """One may stay: its last exchange is still known to the connection to the server."""
    with EchoServer(["a"]) as echo:
        async with data_plane(echo.ports["a"]) as plane:
            gc.collect()
            gc.disable()
            try:
                for _ in range(20):
                    await asyncio.to_thread(exchange, plane.port, GET)
                await until(lambda: not plane.clients() and not exchange_tasks())
                left = [each for each in gc.get_objects() if isinstance(each, DownstreamH1)]
            finally:
                gc.enable()
            assert len(left) <= 1
