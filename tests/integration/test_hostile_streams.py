"""Clients that send much, slowly, in odd pieces or too early."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.hostile import CHUNKED, get, hostile_router, post, send
from tests.support.recording_upstream import RecordingUpstream
from tests.support.router_process import RouterProcess


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def router(
    tmp_path_factory: pytest.TempPathFactory, upstream: RecordingUpstream
) -> Iterator[RouterProcess]:
    with hostile_router(tmp_path_factory.mktemp("hostile"), upstream) as router:
        yield router


@pytest.mark.parametrize(
    "request_",
    [
        get(b"X-Pad: " + b"a" * 3000),
        post(b"Content-Length: 3", b"X-Pad: " + b"a" * 3000, body=b"abc"),
    ],
    ids=["GET", "POST"],
)
def test_ten_thousand_pipelined_requests_cost_no_memory(
    router: RouterProcess, upstream: RecordingUpstream, request_: bytes
) -> None:
    """The router reads no further than it answers; what is under way fits the socket buffers."""
    upstream.take()
    count = 10_000
    waiting = memoryview(request_ * count)
    size, received, most, tail = len(waiting), 0, 0, b""
    end = time.monotonic() + 30
    with socket.create_connection(("127.0.0.1", router.ports["web"])) as client:
        client.setblocking(False)
        while received < count and time.monotonic() < end:
            select.select([client], [client] if waiting else [], [], 1)
            with contextlib.suppress(BlockingIOError):
                waiting = waiting[client.send(waiting) :] if waiting else waiting
            with contextlib.suppress(BlockingIOError):
                data = tail + client.recv(65536)
                assert data != tail, "the router closed the connection"
                received += data.count(b"HTTP/1.1 200 OK")
                tail = data[-14:]
            most = max(most, size - len(waiting) - received * len(request_))
    assert received == count
    assert most < size // 2
    assert len(upstream.take()) == count


@pytest.mark.parametrize("part", [get(), post(CHUNKED, body=b"3;x\r\nabc\r\n0\r\nX: y\r\n\r\n")])
def test_a_request_may_come_byte_by_byte(
    router: RouterProcess, upstream: RecordingUpstream, part: bytes
) -> None:
    upstream.take()
    with socket.create_connection(("127.0.0.1", router.ports["web"]), timeout=5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in part:
            client.send(bytes([byte]))
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert len(upstream.take()) == 1


def test_a_trickle_does_not_extend_the_time_for_a_head(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    """``readTimeout`` is 500 ms here; a client that sends a byte now and then gets no more."""
    upstream.take()
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", router.ports["slow"]), timeout=0.1) as client:
        client.send(b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\nX: ")
        answer = b""
        while not answer and time.monotonic() < start + 5:
            client.send(b"a")
            try:
                answer = client.recv(4096)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.4 < time.monotonic() - start < 2
    assert upstream.take() == []


def test_the_limit_of_a_head_is_its_entry_points(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    assert send(router, get(b"X: " + b"a" * 1900), "small", watch_close=0).status == 200
    assert len(upstream.take()) == 1
    answer = send(router, get(b"X: " + b"a" * 2000), "small")
    assert (answer.status, answer.closed) == (431, True)
    assert upstream.take() == []


@pytest.mark.parametrize("size", [10_000, 100_000, 200_000, 400_000, 2_000_000])
def test_what_comes_before_a_tunnel_is_open_goes_through_it(
    router: RouterProcess, size: int
) -> None:
    """However much it is: it waits, and what the router left unread follows."""
    head = get(
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b'X-Echo: {"upgrade": "websocket"}',
        target=b"/echo",
    )
    early, late = b"a" * size, b"b" * 1000
    with socket.create_connection(("127.0.0.1", router.ports["web"]), timeout=5) as client:
        sender = threading.Thread(target=client.sendall, args=(head + early + late,))
        sender.start()
        with client.makefile("rb") as reader:
            assert reader.readline().startswith(b"HTTP/1.1 101 ")
            while reader.readline() != b"\r\n":
                pass
            assert reader.read(size + len(late)) == early + late
        sender.join()
