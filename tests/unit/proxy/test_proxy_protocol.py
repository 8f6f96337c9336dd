import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.proxy.downstream.proxy_protocol import (
    MAX_HEADER,
    SIGNATURE,
    ProxyHeader,
    ProxyProtocolError,
    read_proxy_header,
)


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(block)) + block


V4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.8") + struct.pack("!HH", 4096, 80)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + struct.pack("!HH", 4096, 80)
MAPPED = b"".join(
    socket.inet_pton(socket.AF_INET6, f"::ffff:192.0.2.{last}") for last in (7, 8)
) + struct.pack("!HH", 4096, 80)

GOOD = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.8 4096 80\r\n", ("192.0.2.7", 4096), "192.0.2.8"),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", ("0.0.0.0", 0), "255.255.255.255"),
    (b"PROXY TCP6 2001:DB8::7 0::1 65535 80\r\n", ("2001:db8::7", 65535), "::1"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 1 2\r\n", ("192.0.2.7", 1), "192.0.2.8"),
    (b"PROXY UNKNOWN\r\n", None, ""),
    (b"PROXY UNKNOWN anything at all\r\n", None, ""),
    (v2(1, 0x11, V4), ("192.0.2.7", 4096), "192.0.2.8"),
    (v2(1, 0x11, V4 + b"\x04\x00\x01a"), ("192.0.2.7", 4096), "192.0.2.8"),
    (v2(1, 0x21, V6), ("2001:db8::7", 4096), "::"),
    (v2(1, 0x21, MAPPED), ("192.0.2.7", 4096), "192.0.2.8"),
    (v2(0, 0x11, V4), None, ""),
    (v2(0, 0, b""), None, ""),
    (v2(1, 0, b"abc"), None, ""),
    (v2(1, 0x31, bytes(216)), None, ""),
]


@pytest.mark.parametrize(("data", "source", "destination"), GOOD)
def test_a_header_is_read_once_it_is_complete(
    data: bytes, source: tuple[str, int] | None, destination: str
) -> None:
    assert read_proxy_header(data + b"GET /") == ProxyHeader(len(data), source, destination)
    for size in range(len(data)):
        assert read_proxy_header(data[:size]) is None


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXZ", b"\r\nGET", b"P "]
)
def test_anything_else_is_no_header(data: bytes) -> None:
    assert read_proxy_header(data) == ProxyHeader(0, None)


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY \r\n",
        b"PROXY  TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
        b"PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.7 ::1 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.300 192.0.2.8 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1_0 2\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 x\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2" + b" " * 100,
        SIGNATURE + b"\x11\x11\x00\x0c" + V4,
        SIGNATURE + b"\x22\x11\x00\x0c" + V4,
        SIGNATURE + b"\x21\x11" + struct.pack("!H", MAX_HEADER),
        v2(1, 0x11, V4[:-1]),
        v2(1, 0x21, V4),
    ],
)
def test_a_malformed_header_is_told(data: bytes) -> None:
    with pytest.raises(ProxyProtocolError):
        read_proxy_header(data)


@given(st.sampled_from([b"PROXY ", b"PROXY TCP4 ", SIGNATURE, b""]), st.binary(max_size=60))
def test_nothing_else_is_ever_raised(start: bytes, behind: bytes) -> None:
    data = start + behind
    try:
        header = read_proxy_header(data)
    except ProxyProtocolError:
        return
    assert header is None or header.size <= len(data)
