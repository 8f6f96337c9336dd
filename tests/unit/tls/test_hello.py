"""The ClientHello in any shape: never an exception but ``HelloError``, never more than asked."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.tls.hello import (
    MAX_HELLO,
    ClientHello,
    HelloError,
    HelloReader,
    alert_record,
)
from tests.support.tls import hello


def read_client_hello(data: bytes) -> ClientHello | None:
    return HelloReader().feed(data)


def test_names_and_protocols() -> None:
    data = hello("A.Test", ["h2", "http/1.1"])
    assert read_client_hello(data) == ClientHello("a.test", ("h2", "http/1.1"))
    assert read_client_hello(hello(None)) == ClientHello()


def test_a_name_may_end_with_a_dot() -> None:
    data = hello("a.test").replace(b"a.test", b"a.tes.")
    found = read_client_hello(data)
    assert found is not None
    assert found.server_name == "a.tes"


def test_every_beginning_asks_for_more() -> None:
    data = hello("a.test", ["http/1.1"])
    assert all(read_client_hello(data[:size]) is None for size in range(len(data)))
    assert read_client_hello(data + b"more") is not None


@given(st.integers(1, 200))
def test_records_may_be_of_any_size(size: int) -> None:
    whole = hello("a.test")
    body = whole[5:]
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    data = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in pieces)
    assert read_client_hello(data) == ClientHello("a.test")


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(HelloError):
        found = read_client_hello(b"\x16\x03\x01" + data)
        assert found is None or isinstance(found, ClientHello)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte(position: int, value: int) -> None:
    data = bytearray(hello("a.test", ["http/1.1"]))
    data[position % len(data)] = value
    with contextlib.suppress(HelloError):
        read_client_hello(bytes(data))


def test_a_hello_has_a_limit() -> None:
    head = b"\x16\x03\x01\x00\x04\x01" + (MAX_HELLO + 1).to_bytes(3, "big")
    with pytest.raises(HelloError, match="too long"):
        read_client_hello(head)
    reader = HelloReader()
    assert reader.feed(b"\x16\x03\x01\x00\x04\x01\x00\xff\xf0") is None
    byte = b"\x16\x03\x01\x00\x01\x00"  # In a record of its own.
    assert all(reader.feed(byte) is None for _ in range(MAX_HELLO // 6 - 2))
    with pytest.raises(HelloError, match="too long"):
        reader.feed(byte * 3)


def test_piece_by_piece() -> None:
    data = hello("a.test")
    reader = HelloReader()
    assert [reader.feed(data[i : i + 1]) for i in range(len(data) - 1)] == [None] * (len(data) - 1)
    assert reader.feed(data[-1:]) == ClientHello("a.test")
    assert reader.data == data


def test_an_alert() -> None:
    assert alert_record(112) == bytes.fromhex("15030300020270")
