"""Bytes through our TLS transport: much of it, slowly, and how connections end."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from edgerouter.proxy.downstream.tls_transport import TlsTransport
from tests.support.data_plane import until
from tests.support.tls import client_context, make_pair
from tests.support.tls_client import TlsClient

PAIR = make_pair("a.test")


class Recorder(asyncio.Protocol):
    """The protocol above: keeps what it is told."""

    def __init__(self) -> None:
        self.transport: TlsTransport
        self.received = bytearray()
        self.events: list[str] = []
        self.stays_open_at_eof = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.stays_open_at_eof

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class Below(asyncio.Protocol):
    """Puts a TLS transport on a connection at once."""

    def __init__(self, context: ssl.SSLContext, recorder: Recorder, failures: list[object]) -> None:
        self._context, self._recorder, self._failures = context, recorder, failures

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        tls = TlsTransport(
            transport, self._context, lambda _, __: self._recorder, self._failures.append
        )
        transport.set_protocol(tls)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Recorder, int]]:
    recorder, failures = Recorder(), list[object]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Below(server_context(), recorder, failures), "127.0.0.1", 0
    )
    try:
        yield recorder, server.sockets[0].getsockname()[1]
    finally:
        recorder.transport.abort()
        await until(lambda: "lost" in recorder.events)
        server.close()
        assert not failures


@asynccontextmanager
async def connected(
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> AsyncIterator[tuple[Recorder, asyncio.StreamReader, asyncio.StreamWriter]]:
    async with listening() as (recorder, port):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(maximum_version=version), server_hostname="a.test"
        )
        await until(lambda: hasattr(recorder, "transport"))
        try:
            yield recorder, reader, writer
        finally:
            writer.transport.abort()


@asynccontextmanager
async def with_client() -> AsyncIterator[tuple[Recorder, TlsClient]]:
    async with listening() as (recorder, port), TlsClient(port, "a.test") as client:
        await until(lambda: hasattr(recorder, "transport"))
        yield recorder, client


def server_context() -> ssl.SSLContext:
    from edgerouter.tls.contexts import Contexts, ServedCertificate
    from edgerouter.tls.options import TlsOptions

    return Contexts().get(TlsOptions({}), ServedCertificate(PAIR.served()))


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
async def test_much_data_both_ways(version: ssl.TLSVersion) -> None:
    data = bytes(range(256)) * 8192
    async with connected(version) as (recorder, reader, writer):
        writer.write(data)
        recorder.transport.write(data)
        recorder.transport.writelines([b"the ", b"end"])
        assert await reader.readexactly(len(data) + 7) == data + b"the end"
        await until(lambda: len(recorder.received) == len(data))
        assert recorder.received == data


async def test_a_slow_client_makes_the_protocol_pause() -> None:
    async with connected() as (recorder, reader, _):
        recorder.transport.set_write_buffer_limits(high=64 * 1024)
        while "pause" not in recorder.events:
            recorder.transport.write(bytes(256 * 1024))
            await asyncio.sleep(0)
        while "resume" not in recorder.events:
            assert await reader.read(1 << 20)


async def test_a_slow_protocol_makes_the_client_wait() -> None:
    async with connected() as (recorder, _, writer):
        recorder.transport.pause_reading()
        assert not recorder.transport.is_reading()
        recorder.transport.pause_reading()  # Twice is no mistake.
        size = 20 * 1024 * 1024
        writer.write(bytes(size))
        await asyncio.sleep(0.2)
        assert recorder.received == b""
        assert recorder.transport._incoming.pending < 1_000_000  # The rest waits at the client.
        recorder.transport.resume_reading()
        recorder.transport.resume_reading()
        await until(lambda: len(recorder.received) == size)


async def test_what_is_unread_when_a_protocol_pauses_in_the_middle_comes_later() -> None:
    async with connected() as (recorder, _, writer):
        first = recorder.data_received

        def pause_after(data: bytes) -> None:
            first(data)
            recorder.transport.pause_reading()

        recorder.data_received = pause_after  # type: ignore[method-assign]
        writer.write(bytes(100_000))  # Several records: one is given, the others wait.
        await until(lambda: recorder.received)
        await asyncio.sleep(0.05)
        assert len(recorder.received) < 100_000
        while len(recorder.received) < 100_000:
            recorder.transport.resume_reading()
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("version", VERSIONS)
async def test_close_says_goodbye_behind_the_last_bytes(version: ssl.TLSVersion) -> None:
    async with connected(version) as (recorder, reader, _):
        recorder.transport.write(bytes(1_000_000))
        recorder.transport.close()
        assert recorder.transport.is_closing()
        recorder.transport.write(b"too late")
        assert len(await reader.read()) == 1_000_000  # A cut connection would raise.


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_client_may_go_on_after_our_end(version: ssl.TLSVersion) -> None:
    async with connected(version) as (recorder, _, writer):
        assert recorder.transport.can_write_eof()
        recorder.transport.write_eof()
        writer.write(b"still here")
        await until(lambda: recorder.received == b"still here")


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_unread_at_our_end_is_not_lost(version: ssl.TLSVersion) -> None:
    """Else an early refusal of an upload would end with a reset that destroys it."""
    async with connected(version) as (recorder, reader, writer):
        first = recorder.data_received

        def refuse(data: bytes) -> None:
            first(data)
            if recorder.received == data:
                recorder.transport.write(b"no")
                recorder.transport.write_eof()

        recorder.data_received = refuse  # type: ignore[method-assign]
        recorder.transport.pause_reading()
        writer.write(bytes(100_000))  # Several records: one is given, the others wait.
        await asyncio.sleep(0.05)
        recorder.transport.resume_reading()
        assert await reader.read() == b"no"
        await until(lambda: len(recorder.received) == 100_000)


async def test_the_end_comes_behind_all_that_was_sent() -> None:
    """Also without ``close_notify``, and while the protocol pauses again and again."""
    async with connected() as (recorder, _, writer):
        first = recorder.data_received

        def pause_after(data: bytes) -> None:
            first(data)
            assert "eof" not in recorder.events
            recorder.transport.pause_reading()

        recorder.data_received = pause_after  # type: ignore[method-assign]
        writer.write(bytes(30_000))  # Two records that come together.
        await until(lambda: recorder.received)
        writer.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        recorder.transport.eof_received()  # uvloop tells of it although reading is paused.
        while "eof" not in recorder.events:
            recorder.transport.resume_reading()
            await asyncio.sleep(0.001)
        assert len(recorder.received) == 30_000
        assert recorder.events == ["eof"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_that_only_shuts_down_its_socket_still_reads(
    version: ssl.TLSVersion,
) -> None:
    """WebSocket clients end like that; OpenSSL would refuse to write from there on."""
    async with connected(version) as (recorder, reader, writer):
        writer.write(b"my last word")
        await until(lambda: recorder.received)
        writer.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await until(lambda: recorder.events)
        recorder.transport.write(b"and mine")
        assert await reader.readexactly(8) == b"and mine"
        assert recorder.events == ["eof"]


@pytest.mark.parametrize("stays_open", [True, False])
async def test_the_end_of_the_client_is_told_once(stays_open: bool) -> None:
    async with connected() as (recorder, _, writer):
        recorder.stays_open_at_eof = stays_open
        writer.close()
        await until(lambda: "eof" in recorder.events)
        if not stays_open:
            await until(lambda: "lost" in recorder.events)
        assert recorder.events.count("eof") == 1


async def test_garbage_behind_the_handshake_ends_the_connection() -> None:
    async with connected() as (recorder, _, writer):
        below = writer.transport.get_extra_info("socket")
        below._sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        await until(recorder.transport.is_closing)
        recorder.transport.write(b"an answer on its way")  # Must not raise.
        await until(lambda: "lost" in recorder.events)
        assert recorder.received == b""


async def test_what_comes_together_is_told_in_order() -> None:
    async with with_client() as (recorder, client):
        for byte in b"a long upload":
            client.write(bytes([byte]))
        with suppress(ssl.SSLWantReadError):
            client.tls.unwrap()
        await client.flush()
        await until(lambda: recorder.events == ["eof"])
        assert recorder.received == b"a long upload"


async def test_garbage_behind_a_short_record_ends_the_connection() -> None:
    async with with_client() as (recorder, client):
        client.write(b"short")
        await client.flush(b"\x17\x03\x03\x00\x20" + bytes(32))
        await until(lambda: "lost" in recorder.events)
        assert recorder.received == b"short"
        assert "eof" not in recorder.events


async def test_tiny_records_let_others_go_first() -> None:
    """However much a read of the socket gives, others wait for a part of it only."""
    async with with_client() as (recorder, client):
        loop = asyncio.get_running_loop()
        first, turns = recorder.data_received, [0]

        def count(data: bytes) -> None:
            first(data)
            turns[-1] += len(data)

        def next_turn() -> None:
            turns.append(0)
            if len(recorder.received) < 50_000:
                loop.call_soon(next_turn)

        recorder.data_received = count  # type: ignore[method-assign]
        for _ in range(50_000):
            client.write(b"x")
        next_turn()
        await client.flush()
        await until(lambda: len(recorder.received) == 50_000)
        assert max(turns) < 3000
        assert recorder.transport.is_reading()
        client.write(b"more")
        await client.flush()
        await until(lambda: recorder.received.endswith(b"more"))


async def test_tiny_records_wait_while_the_protocol_pauses() -> None:
    async with with_client() as (recorder, client):
        first = recorder.data_received

        def pause_after(data: bytes) -> None:
            first(data)
            recorder.transport.pause_reading()

        recorder.data_received = pause_after  # type: ignore[method-assign]
        for _ in range(20_000):
            client.write(b"x")
        with suppress(ssl.SSLWantReadError):
            client.tls.unwrap()
        await client.flush()
        await until(lambda: recorder.received)
        seen = len(recorder.received)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(recorder.received) == seen
        while "eof" not in recorder.events:
            recorder.transport.resume_reading()
            await asyncio.sleep(0)
        assert len(recorder.received) == 20_000


async def test_key_updates_are_answered() -> None:
    async with with_client() as (recorder, client):
        for number in range(100):
            client.update_keys()
            client.write(b"%03d" % number)
            await client.flush()
            await until(lambda: recorder.received.endswith(b"%03d" % number))  # noqa: B023
            recorder.transport.write(b"yes")
            assert await client.read() == b"yes"


async def test_key_updates_between_tiny_records_are_answered() -> None:
    async with with_client() as (recorder, client):
        for _ in range(400):
            for _ in range(10):
                client.update_keys()
            client.write(b"x")
        await client.flush()
        await until(lambda: len(recorder.received) == 400)
        recorder.transport.write(b"yes")
        assert await client.read() == b"yes"


@pytest.mark.parametrize("number", [20, 40_000])
async def test_nothing_but_key_updates_ends_the_connection(number: int) -> None:
    async with with_client() as (recorder, client):
        for _ in range(number):
            client.update_keys()
        with suppress(ConnectionError):
            await client.flush()
        await until(lambda: "lost" in recorder.events)
        assert recorder.received == b""


async def test_key_updates_between_data_count_when_no_answer_is_read() -> None:
    async with with_client() as (recorder, client):
        recorder.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
        )
        recorder.transport.write(bytes(20_000_000))
        with suppress(ConnectionError):
            for _ in range(20):
                client.update_keys()
                client.write(b"x")
                await client.flush()
        await until(lambda: "lost" in recorder.events)


async def test_key_updates_without_answers_let_others_go_first() -> None:
    async with with_client() as (recorder, client):
        for _ in range(40_000):
            client.update_keys(asks=False)
        client.write(b"data")
        loop, turns = asyncio.get_running_loop(), [0]

        def next_turn() -> None:
            turns[0] += 1
            if not recorder.received:
                loop.call_soon(next_turn)

        next_turn()
        await client.flush()
        await until(lambda: recorder.received == b"data")
        assert turns[0] > 20
