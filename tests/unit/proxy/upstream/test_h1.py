"""What a server sends piece by piece, fed to a connection by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import process_time

import pytest

from edgerouter.http.errors import UpstreamProtocolError
from edgerouter.http.message import Response
from edgerouter.proxy.upstream.h1 import MAX_HEAD, MAX_INTERIM, UpstreamH1
from tests.support.data_plane import upstream


@pytest.fixture
async def connection() -> AsyncIterator[UpstreamH1]:
    """A connection to a server that says nothing by itself."""

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with upstream(serve) as port:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: UpstreamH1(lambda _: None), "127.0.0.1", port
        )
        yield connection
        connection.abort()


def ask(connection: UpstreamH1) -> "asyncio.Future[Response]":
    return connection.begin("GET", lambda *_: None)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
async def test_heads_in_pieces(connection: UpstreamH1, line_end: bytes, size: int) -> None:
    interim = [b"HTTP/1.1 103 Early Hints", b"Link: </a>", b"", b""]
    final = [b"HTTP/1.1 200 OK", b"X-A: 1", b"Content-Length: 2", b"", b"ok"]
    for _ in range(2):  # Nothing stays behind for the next answer.
        future = ask(connection)
        for piece in pieces(line_end.join(interim) + line_end.join(final), size):
            connection.data_received(piece)
        response = await future
        assert (response.status, response.headers.first(b"x-a")) == (200, b"1")
        assert await response.body.read() == b"ok"


async def test_a_large_head_in_tiny_pieces_costs_no_more_than_its_bytes(
    connection: UpstreamH1,
) -> None:
    future = ask(connection)
    fields = b"".join(b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(500))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n"
    start = process_time()
    for piece in pieces(head, 8):
        connection.data_received(piece)
    assert (await future).status == 200
    assert process_time() - start < 2  # A minute when each piece has all searched again.


async def test_a_head_without_an_end_is_given_up(connection: UpstreamH1) -> None:
    future = ask(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(MAX_HEAD // 65536 + 1):
        connection.data_received(b"a" * 65536)
    with pytest.raises(UpstreamProtocolError):
        await future


async def test_interim_answers_go_on_as_long_as_the_client_has_read_them(
    connection: UpstreamH1,
) -> None:
    told: list[int] = []

    def inform(status: int, _headers: object) -> bool:
        told.append(status)
        return True

    connection.begin("GET", inform)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: <%b>\r\n\r\n" % (b"a" * 100_000)
    for _ in range(2 * MAX_INTERIM // len(interim)):
        connection.data_received(interim)
    connection.data_received(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert told == [103] * (2 * MAX_INTERIM // len(interim))


async def test_interim_answers_without_end_are_given_up(connection: UpstreamH1) -> None:
    """They are passed on as they come; a client that reads nothing would have them pile up here."""
    told: list[int] = []
    future = connection.begin("GET", lambda status, _: told.append(status))
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: <%b>\r\n\r\n" % (b"a" * 10_000)
    while not future.done():
        connection.data_received(interim)
        assert len(told) * len(interim) <= MAX_INTERIM
    with pytest.raises(UpstreamProtocolError, match="interim answers without end"):
        await future
