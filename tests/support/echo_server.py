"""An upstream that answers with what it received, exactly.

It runs in a thread with a loop of its own and listens on one loopback port
per name, so that an answer tells which service was asked. The answer is a
JSON object: ``server``, ``line``, ``headers`` (pairs in order), ``body``
(length and digest), ``trailers``. A request header ``X-Echo`` holding a JSON
object changes the answer; see ``Order``.
"""

import asyncio
import hashlib
import json
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Order:
    """What ``X-Echo`` may ask for."""

    status: int = 200
    headers: list[list[str]] = field(default_factory=list)
    body: str | None = None
    """Instead of the dump."""
    length: int | None = None
    """A ``Content-Length`` that may be wrong."""
    chunked: bool = False
    trailers: list[list[str]] = field(default_factory=list)
    interim: list[tuple[int, list[list[str]]]] = field(default_factory=list)
    """1xx answers sent first: status and header."""
    delay: float = 0.0
    """Seconds before the head."""
    raw: str | None = None
    """Bytes (latin-1) sent instead of an answer; the connection is closed after them."""
    upgrade: str = ""
    """Switch to this protocol and send back what comes."""
    close: bool = False
    """Close without saying so in the header."""


@dataclass(slots=True)
class Received:
    line: str
    headers: Pairs
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class EchoServer:
    """``with EchoServer(["api", "web"]) as echo: echo.ports["api"]``."""

    def __init__(
        self, names: Iterable[str], tls: Mapping[str, ssl.SSLContext] | None = None
    ) -> None:
        """Listen for ``names``; those in ``tls`` speak TLS."""
        self._names = list(names)
        self._tls = tls or {}
        self.ports: dict[str, int] = {}
        self.asked = 0
        """How many requests have come, whole."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="echo server")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> list[asyncio.Server]:
        servers = []
        for name in self._names:
            serve = partial(self._serve, name)
            server = await asyncio.start_server(
                serve, "127.0.0.1", 0, limit=2**21, ssl=self._tls.get(name)
            )
            self.ports[name] = server.sockets[0].getsockname()[1]
            servers.append(server)
        return servers

    async def _serve(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await self._answer(name, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; tell whether the connection stays."""
        received = await _read_head(reader)
        order = Order(**json.loads(received.get("x-echo") or "{}"))
        if order.upgrade:
            self.asked += 1
            await _upgrade(order, reader, writer)
            return False
        if received.get("expect").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await _read_body(reader, received)
        self.asked += 1
        await asyncio.sleep(order.delay)
        for status, headers in order.interim:
            writer.write(_head(status, [*headers]))
        if order.raw is not None:
            writer.write(order.raw.encode("latin-1"))
            await writer.drain()
            return False
        writer.write(_response(name, order, received))
        await writer.drain()
        return not order.close and received.get("connection").lower() != "close"


async def _read_head(reader: asyncio.StreamReader) -> Received:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = text[:-4].split("\r\n")
    return Received(line, [_pair(text) for text in fields])


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


async def _read_body(reader: asyncio.StreamReader, received: Received) -> None:
    if received.get("transfer-encoding").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            received.body += (await reader.readexactly(size + 2))[:-2]
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            received.trailers.append(_pair(line[:-2].decode("latin-1")))
    else:
        received.body = await reader.readexactly(int(received.get("content-length") or 0))


def _head(status: int, headers: list[list[str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Echo", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _dump(name: str, received: Received) -> bytes:
    facts: dict[str, Any] = {
        "server": name,
        "line": received.line,
        "headers": received.headers,
        "body": [len(received.body), hashlib.sha256(received.body).hexdigest()[:12]],
    }
    if received.trailers:
        facts["trailers"] = received.trailers
    return json.dumps(facts).encode()


def _response(name: str, order: Order, received: Received) -> bytes:
    method = received.line.split(" ")[0]
    body = _dump(name, received) if order.body is None else order.body.encode()
    headers = list(order.headers)
    if order.body is None:
        headers.append(["Content-Type", "application/x-echo"])
    without = method == "HEAD" or order.status in (204, 304)
    if order.chunked:
        headers.append(["Transfer-Encoding", "chunked"])
        return _head(order.status, headers) + (b"" if without else _chunks(body, order))
    if order.status not in (204, 304):
        size = len(body) if order.length is None else order.length
        headers.append(["Content-Length", str(size)])
    return _head(order.status, headers) + (b"" if without else body)


def _chunks(body: bytes, order: Order) -> bytes:
    half = len(body) // 2
    parts = [part for part in (body[:half], body[half:]) if part]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    ends = "".join(f"{name}: {value}\r\n" for name, value in order.trailers)
    return framed + b"0\r\n" + ends.encode("latin-1") + b"\r\n"


async def _upgrade(
    order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    fields = [["Connection", "Upgrade"], ["Upgrade", order.upgrade], *order.headers]
    writer.write(_head(101, fields))
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
