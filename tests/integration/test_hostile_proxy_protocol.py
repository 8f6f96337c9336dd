"""The PROXY protocol from who may speak it, from who may not, and malformed."""

import socket
import struct
from collections.abc import Iterator

import pytest

from tests.support.hostile import get, hostile_router, send
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


V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


V2_TCP4 = v2(1, 0x11, socket.inet_aton("192.0.2.7") + socket.inet_aton("1.1.1.1") + b"\x10\x00\0P")
V2_TCP6 = v2(
    1,
    0x21,
    socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + b"\x10\x00\0P" + b"\x04\0\x01a",
)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 192.0.2.7 1.1.1.1 4096 80\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4096 80\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "127.0.0.1"),
        (V2_TCP4, "192.0.2.7"),
        (V2_TCP6, "2001:db8::7"),
        (v2(0, 0x00, b""), "127.0.0.1"),
        (b"", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("split", [False, True])
def test_a_trusted_proxy_says_who_the_client_is(
    router: RouterProcess, upstream: RecordingUpstream, header: bytes, client: str, split: bool
) -> None:
    upstream.take()
    data = header + get()
    size = 1 if split else len(data)
    with socket.create_connection(("127.0.0.1", router.ports["proxied"]), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            connection.send(data[start : start + size])
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    [seen] = upstream.take()
    assert seen.all("x-forwarded-for") == [client]
    assert seen.all("x-real-ip") == [client]


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY \r\n",
        b"PROXY TCP4 192.0.2.7 1.1.1.1 4096\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 4096 80\r\n",
        b"PROXY TCP4 192.0.2.7 1.1.1.1 70000 80\r\n",
        b"PROXY TCP4 192.0.2.7 1.1.1.1 +80 80\r\n",
        b"PROXY UDP4 192.0.2.7 1.1.1.1 4096 80\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        V2 + b"\x11\x11\x00\x0c" + bytes(12),
        V2 + b"\x2f\x11\x00\x0c" + bytes(12),
        v2(1, 0x11, bytes(4)),
        V2 + b"\x21\x11\xff\xff",
    ],
)
def test_a_malformed_proxy_header_ends_the_connection(
    router: RouterProcess, upstream: RecordingUpstream, header: bytes
) -> None:
    upstream.take()
    answer = send(router, header + get(), "proxied")
    assert (answer.status, answer.closed) == (0, True)
    assert upstream.take() == []
    assert send(router, get(), "proxied", watch_close=0).status == 200


HEADERS = [b"PROXY TCP4 192.0.2.7 1.1.1.1 4096 80\r\n", V2_TCP4]


@pytest.mark.parametrize("header", HEADERS)
def test_a_proxy_header_of_anybody_else_says_nothing(
    router: RouterProcess, upstream: RecordingUpstream, header: bytes
) -> None:
    upstream.take()
    assert send(router, header + get(), "foreign", watch_close=0).status == 200
    [seen] = upstream.take()
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert seen.all("x-real-ip") == ["127.0.0.1"]


def test_a_malformed_header_of_anybody_else_ends_the_connection(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    answer = send(router, b"PROXY \r\n" + get(), "foreign")
    assert (answer.status, answer.closed) == (0, True)
    assert upstream.take() == []


@pytest.mark.parametrize("header", HEADERS)
def test_without_the_option_a_proxy_header_is_a_bad_request(
    router: RouterProcess, upstream: RecordingUpstream, header: bytes
) -> None:
    upstream.take()
    answer = send(router, header + get())
    assert (answer.status, answer.closed) == (400, True)
    assert upstream.take() == []
