"""SIGTERM as clients see it: what is under way ends well, what is idle is closed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.data_plane import answer, client, read_answer, read_head, upstream
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.router_process import RouterProcess

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@asynccontextmanager
async def running(directory: Path, port: int, **life_cycle: str) -> AsyncIterator[RouterProcess]:
    """The product in front of one server, with ``lifeCycle`` options for its entry point."""
    dynamic = {
        "http": {
            "routers": {"a": {"rule": "Host(`a`)", "service": "a", "entryPoints": ["web"]}},
            "services": {"a": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        }
    }
    flags = {
        f"entrypoints.web.transport.lifecycle.{name}": value for name, value in life_cycle.items()
    }
    flags |= {"ping": "true", "ping.entrypoint": "web", "edgerouter.workers": "1"}
    process = edgerouter(directory, ["web"], flags, dynamic)
    await asyncio.to_thread(process.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.stop)


async def test_request_under_way_ends_and_idle_connections_are_closed(tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            head = await read_head(reader)
            if b" /slow " in head:
                asked.set()
                await go.wait()
            writer.write(answer(b"ok"))

    async with (
        upstream(serve) as port,
        running(tmp_path, port, gracetimeout="10s") as router,
        client(router.ports["web"]) as (idle, to_idle),
        client(router.ports["web"]) as (busy, to_busy),
    ):
        to_idle.write(GET)
        await read_answer(idle)
        to_busy.write(GET.replace(b" / ", b" /slow "))
        await asyncio.wait_for(asked.wait(), 5)
        os.kill(router.pid, signal.SIGTERM)
        assert await asyncio.wait_for(idle.read(), 5) == b""
        go.set()
        status, head, body = await asyncio.wait_for(read_answer(busy), 5)
        assert (status, body) == (200, b"ok")
        assert b"connection: close" in head.lower()
        assert await asyncio.wait_for(busy.read(), 5) == b""


async def test_ping_says_503_while_requests_are_still_accepted(tmp_path: Path) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_head(reader)
            writer.write(answer(b"ok"))

    async with (
        upstream(serve) as port,
        running(tmp_path, port, requestacceptgracetimeout="2s", gracetimeout="1s") as router,
    ):
        web = router.ports["web"]
        assert (await asyncio.to_thread(ask, web, "/ping")).status == 200
        os.kill(router.pid, signal.SIGTERM)
        await asyncio.to_thread(
            eventually, lambda: ask(web, "/ping").status, lambda status: status == 503, within=2
        )
        assert (await asyncio.to_thread(ask, web, host="a")).status == 200


async def test_tunnel_is_cut_at_the_end_of_the_grace_time(tmp_path: Path) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data)

    async with (
        upstream(serve) as port,
        running(tmp_path, port, gracetimeout="1s") as router,
        client(router.ports["web"]) as (reader, writer),
    ):
        fields = b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        writer.write(b"GET / HTTP/1.1\r\n" + fields)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 101")
        os.kill(router.pid, signal.SIGTERM)
        start = asyncio.get_running_loop().time()
        writer.write(b"still open")
        assert await reader.readexactly(10) == b"still open"
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert 0.8 < asyncio.get_running_loop().time() - start < 4


async def test_websockets_get_1001_at_the_end_of_the_grace_time(tmp_path: Path) -> None:
    """Both sides, as when their server is removed (test_removed_tunnels.py)."""
    text, close = b"\x81\x05hello", b"\x88\x02\x03\xe9"
    got = asyncio.Queue[bytes]()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        writer.write(text)
        got.put_nowait(await reader.read())

    async with (
        upstream(serve) as port,
        running(tmp_path, port, gracetimeout="500ms") as router,
        client(router.ports["web"]) as (reader, writer),
    ):
        fields = b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        writer.write(b"GET / HTTP/1.1\r\n" + fields)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 101")
        assert await reader.readexactly(len(text)) == text
        os.kill(router.pid, signal.SIGTERM)
        start = asyncio.get_running_loop().time()
        assert await asyncio.wait_for(reader.read(), 5) == close
        assert asyncio.get_running_loop().time() - start > 0.4
        last = await asyncio.wait_for(got.get(), 5)
        assert last[:2] == b"\x88\x82"
        assert bytes(a ^ b for a, b in zip(last[6:], last[2:6], strict=False)) == close[2:]


async def test_what_is_no_websocket_is_cut_without_delay(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        asked.set()
        await reader.read()

    async with (
        upstream(serve) as port,
        running(tmp_path, port, gracetimeout="500ms") as router,
        client(router.ports["web"]) as (reader, writer),
    ):
        writer.write(GET)
        await asyncio.wait_for(asked.wait(), 5)
        os.kill(router.pid, signal.SIGTERM)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await asyncio.to_thread(router.stop)
        assert "Requests were still under way" in router.log.read_text()
        assert "are cut" not in router.log.read_text(), "the control plane had to end the worker"
