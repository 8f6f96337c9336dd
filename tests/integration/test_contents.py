"""Middlewares that read or change contents, on real connections and with a real client."""

import asyncio
import os
import zlib
from typing import Any

import pytest

from tests.support.data_plane import DataPlane, data_plane, upstream

DATA = b'{"name": "value", "list": [1, 2, 3]}\n' * 600
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def install(plane: DataPlane, port: int, kind: str, **options: Any) -> None:
    """Put one middleware in front of the server."""
    errors = plane.builder.apply(
        {
            "routers": {
                "r@file": {
                    "entryPoints": ["web"],
                    "rule": "PathPrefix(`/`)",
                    "priority": 1,
                    "middlewares": ["m@file"],
                    "service": "s@file",
                }
            },
            "middlewares": {"m@file": {"type": kind, "options": options}},
            "services": {
                "s@file": {
                    "type": "loadBalancer",
                    "options": {"servers": [{"url": f"http://127.0.0.1:{port}"}]},
                }
            },
        }
    )
    assert errors == {}


async def curl(port: int, *options: str) -> bytes:
    """Return what curl makes of the answer."""
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/curl",
        "-sS",
        "--compressed",
        *options,
        f"http://127.0.0.1:{port}/",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_a_real_client_reads_what_was_compressed(encoding: str, chunked: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if chunked:
            writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(DATA), 5000):
                piece = DATA[start : start + 5000]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(DATA) + DATA)

    async with upstream(serve) as port, data_plane(port) as plane:
        install(plane, port, "compress")
        answer = await curl(plane.port, "-i", "-H", f"Accept-Encoding: {encoding}")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-encoding: {encoding}".encode() in head.lower()
    assert body == DATA


async def test_a_compressed_stream_is_not_held_back() -> None:
    read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await read.wait()
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")

    async with upstream(serve) as port, data_plane(port) as plane:
        install(plane, port, "compress")
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        decoder = zlib.decompressobj(31)

        async def chunk() -> bytes:
            size = int(await reader.readuntil(b"\r\n"), 16)
            return decoder.decompress((await reader.readexactly(size + 2))[:-2])

        assert await chunk() == b"first"
        read.set()
        assert await chunk() == b"second"
        assert await chunk() == b""
        assert decoder.eof
        writer.close()


async def test_an_upload_that_the_server_does_not_want_spoils_no_connection() -> None:
    """The answer is complete while the kept body is still on its way to the server."""
    answered = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        line = await reader.readuntil(b"\r\n\r\n")
        if line.startswith((b"POST", b"GET")):
            answered += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        if line.startswith(b"POST"):
            await reader.read(1)
            await asyncio.sleep(3600)

    async with upstream(serve) as port, data_plane(port) as plane:
        install(plane, port, "buffering", mem_request_body_bytes=0)
        body = os.urandom(8_000_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
        assert answered == 2
        writer.close()
