"""An exchange is given up at each of its steps: nothing may be left behind.

The client vanishes after n turns of the event loop, for every n up to the end
of the exchange, so that each ``await`` on the way is met by a cancellation.
"""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from edgerouter.proxy.upstream.h1 import UpstreamH1
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
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def serve_anything(reader: Reader, writer: Writer) -> None:
    """Answer by the path: at once, after a chunked upload, or with a stream in parts."""
    while True:
        head = await read_head(reader)
        if head.startswith(b"POST"):
            await reader.readuntil(b"0\r\n\r\n")
        if b" /stream " in head:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(5):
                writer.write(b"5\r\nhello\r\n")
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(answer(b"ok"))


async def send_parts(writer: Writer) -> None:
    for _ in range(5):
        writer.write(b"5\r\nhello\r\n")
        await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "request_bytes",
    [GET, GET.replace(b" / ", b" /stream "), UPLOAD],
    ids=["get", "stream", "upload"],
)
@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept-alive"])
async def test_client_vanishes_after_any_number_of_steps(request_bytes: bytes, warm: bool) -> None:
    async with upstream(serve_anything) as port, data_plane(port) as plane:
        for steps in range(40):
            async with client(plane.port) as (reader, writer):
                if warm:
                    writer.write(GET)
                    await read_answer(reader)
                writer.write(request_bytes)
                parts = asyncio.ensure_future(send_parts(writer))
                if request_bytes is not UPLOAD:
                    parts.cancel()
                for _ in range(steps):
                    await asyncio.sleep(0)
                parts.cancel()
                writer.transport.abort()
            await until(lambda: not plane.connections and not exchange_tasks())
            await until(lambda: not plane.in_use())
        async with client(plane.port) as (reader, writer):
            writer.write(GET)
            assert (await read_answer(reader))[::2] == (200, b"ok")


@pytest.mark.parametrize("method", ["get", "upload"])
async def test_task_is_cancelled_at_any_step(method: str) -> None:
    """The same from inside: the task itself is cancelled, whatever it awaits."""
    async with upstream(serve_anything) as port, data_plane(port) as plane:
        for steps in range(30):
            async with client(plane.port) as (_reader, writer):
                writer.write(GET if method == "get" else UPLOAD + b"1\r\nx\r\n0\r\n\r\n")
                await until(lambda: plane.connections)
                for _ in range(steps):
                    await asyncio.sleep(0)
                for task in asyncio.all_tasks():
                    if "DownstreamH1" in repr(task):
                        asyncio.get_running_loop().call_soon(task.cancel)  # As a lost client does.
                await until(lambda: not exchange_tasks())
                await until(lambda: not plane.in_use())


async def test_connection_another_exchange_has_taken_is_not_broken_off() -> None:
    """An exchange is cancelled between the arrival of its answer and its next step.

    Its connection is in the pool by then, and a second request may hold it already.
    """
    taken: list[UpstreamH1] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_head(reader)
            writer.write(answer(b"ok"))

    async with upstream(serve) as port, data_plane(port) as plane:
        async with client(plane.port) as (first, to_first):
            to_first.write(GET)
            await read_answer(first)
        (connection,) = plane.idle_connections()
        receive: Callable[[bytes], None] = connection.data_received

        def receive_and_cancel(data: bytes) -> None:
            receive(data)
            tasks = [task for task in asyncio.all_tasks() if "DownstreamH1" in repr(task)]
            del connection.data_received
            taken.extend(plane.idle_connections())
            for task in tasks:
                task.cancel()

        async with client(plane.port) as (_, writer), client(plane.port) as (reader, to_second):
            # The transport has bound the method already: hook the protocol anew.
            connection.data_received = receive_and_cancel  # type: ignore[method-assign]
            connection._transport.set_protocol(connection)
            writer.write(GET)
            await until(lambda: taken)
            await until(lambda: not exchange_tasks())
            to_second.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            assert (await asyncio.wait_for(read_answer(reader), 3))[0] == 200
            assert taken == [connection]
            assert not connection.closed


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_interim_answer_for_a_client_that_has_just_gone(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """It may come before the exchange is cancelled; uvloop does not take what nobody can get."""

    async def serve(reader: Reader, _writer: Writer) -> None:
        await read_head(reader)
        await reader.read()

    async def run() -> None:
        async with (
            upstream(serve) as port,
            data_plane(port) as plane,
            client(plane.port) as (_reader, writer),
        ):
            writer.write(GET)
            await until(lambda: bool(plane.in_use()))
            (gone,), (server,) = plane.clients(), plane.in_use()
            gone.abort()
            await asyncio.sleep(0)  # Now it knows, and its exchange does not yet.
            server.data_received(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            await until(lambda: not exchange_tasks() and not plane.in_use())

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())
