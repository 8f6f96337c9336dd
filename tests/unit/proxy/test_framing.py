import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgerouter.http.errors import BadRequest
from edgerouter.proxy.framing import (
    HIGH_WATER,
    MAX_CHUNK_LINE,
    MAX_TRAILERS,
    ChunkedBody,
    FramingError,
    IncomingBody,
    LengthBody,
    UntilCloseBody,
)


class Owner:
    """Counts what a body asks of its connection."""

    def __init__(self) -> None:
        self.wanted = self.full = self.abandoned = 0

    def body_wanted(self) -> None:
        self.wanted += 1

    def body_full(self) -> None:
        self.full += 1

    def body_abandoned(self) -> None:
        self.abandoned += 1


Outcome = tuple[str, bytes, bytes, list[tuple[bytes, bytes]]]


def decode(*parts: bytes) -> Outcome:
    """Feed ``parts``; return how it ended, the content, what is behind it, and the trailers."""
    body = ChunkedBody(Owner())
    content = b""
    for number, part in enumerate(parts):
        try:
            rest = body.feed(part)
        except FramingError:
            return "malformed", b"", b"", []
        if rest is not None:
            content = body.ready() or b""
            return "complete", content, rest + b"".join(parts[number + 1 :]), list(body.trailers)
    return "open", b"", b"", []


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    points = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(points)]


def chunked(chunks: list[bytes], trailer: bytes = b"") -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return framed + b"0\r\n" + trailer + b"\r\n"


cuts = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.lists(st.binary(max_size=50), max_size=6), st.binary(max_size=20), cuts)
def test_any_split_of_a_chunked_body_decodes_alike(
    chunks: list[bytes], behind: bytes, where: list[int]
) -> None:
    data = chunked(chunks, b"X-Sum: 1\r\n") + behind
    expected = ("complete", b"".join(chunks), behind, [(b"X-Sum", b"1")])
    assert decode(data) == expected
    assert decode(*split(data, where)) == expected
    assert decode(*(data[n : n + 1] for n in range(len(data)))) == expected


PIECES = [
    b"0",
    b"3",
    b"a",
    b"\r",
    b"\n",
    b"\r\n",
    b";",
    b"abc",
    b" ",
    b"X: y",
    b"\x00",
    b"-",
    b"0x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join), cuts)
@example(b"3;" + b"a" * (MAX_CHUNK_LINE - 2) + b"\r\nabc\r\n0\r\n\r\n", [MAX_CHUNK_LINE + 1])
@example(b"0\r\nX: " + b"a" * (MAX_TRAILERS - 3) + b"\r\n\r\n", [MAX_TRAILERS + 4])
def test_garbage_never_raises_anything_else_and_splits_alike(data: bytes, where: list[int]) -> None:
    whole, parts = decode(data), decode(*split(data, where))
    # A malformed line may be noticed only at its end, which must then come.
    if "open" in (whole[0], parts[0]):
        assert {whole[0], parts[0]} <= {"open", "malformed"}
    else:
        assert parts == whole


@given(st.binary(max_size=300))
def test_random_bytes_are_malformed_open_or_a_body(data: bytes) -> None:
    assert decode(data)[0] in ("malformed", "open", "complete")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"+3\r\n",
        b"-3\r\n",
        b"0x3\r\n",
        b" 3\r\n",
        b"3 x\r\n",
        b"3_0\r\n",
        b"\xb2\r\n",
        b"1" * 17 + b"\r\n",
        b"3\nabc",
        b"3;\x00\r\n",
        b"3;a\rb\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n0",
        b"3;" + b"a" * MAX_CHUNK_LINE,
        b"0\r\nX : y\r\n",
        b"0\r\nX\r\n",
        b"0\r\n: y\r\n",
        b"0\r\n X: y\r\n",
        b"0\r\nX: \x00\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 5000,
        b"0\r\nX: " + b"y" * (MAX_TRAILERS + 1),
    ],
)
def test_malformed(data: bytes) -> None:
    assert decode(data)[0] == "malformed"


@pytest.mark.parametrize(
    "line", [b"3", b"0" * 15 + b"3", b"3;a", b'3;a="b"', b"3 ; a=\xe4", b"3\t"]
)
def test_a_chunk_line_may_have_extensions_and_zeros(line: bytes) -> None:
    assert decode(line + b"\r\nabc\r\n0\r\n\r\nGET")[:3] == ("complete", b"abc", b"GET")


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "transfer-encoding", "HOST", "Cookie", "X-Forwarded-For", "X_Real-Ip"],
)
def test_trailers_that_must_not_come_late_are_dropped(name: str) -> None:
    data = chunked([b"a"], f"{name}: 5\r\nX-Sum:  1 \r\n".encode())
    assert decode(data)[3] == [(b"X-Sum", b"1")]


@given(st.binary(max_size=100), st.binary(max_size=30), cuts)
async def test_a_length_body_ends_where_it_says(
    content: bytes, behind: bytes, where: list[int]
) -> None:
    body = LengthBody(Owner(), len(content))
    data = content + behind
    parts = split(data, where)
    rest: bytes | None = None
    while rest is None:
        rest = body.feed(parts.pop(0))
    assert rest + b"".join(parts) == behind
    assert body.complete
    assert body.received == len(content)
    assert await read_all(body) == content


async def read_all(body: IncomingBody) -> bytes:
    content = b""
    while data := await body.read():
        content += data
    return content


async def test_a_body_until_close_ends_with_the_connection() -> None:
    body = UntilCloseBody(Owner())
    assert body.feed(b"a") is None
    assert body.ready() is None
    body.feed_eof()
    assert await read_all(body) == b"a"


async def test_a_reader_waits_and_asks_for_more() -> None:
    owner = Owner()
    body = ChunkedBody(owner)
    reader = asyncio.create_task(body.read())
    await asyncio.sleep(0)
    assert (owner.wanted, body.is_awaited()) == (1, True)
    body.feed(b"3\r\nab")
    assert await reader == b"ab"


async def test_a_failure_comes_behind_what_has_arrived() -> None:
    body = LengthBody(Owner(), 10)
    body.feed(b"abc")
    body.fail(BadRequest("gone"))
    assert await body.read() == b"abc"
    with pytest.raises(BadRequest, match="gone"):
        await body.read()


async def test_much_that_waits_stops_the_peer_but_the_end_does_not() -> None:
    owner = Owner()
    body = LengthBody(owner, HIGH_WATER + 1)
    body.feed(b"a" * (HIGH_WATER - 1))
    assert owner.full == 0
    body.feed(b"a")
    assert owner.full == 1
    body.feed(b"a")
    assert owner.full == 1
    assert len(body.ready() or b"") == HIGH_WATER + 1


def test_closing_early_is_told_once_and_drops_what_waits() -> None:
    owner = Owner()
    body = LengthBody(owner, 3)
    body.feed(b"a")
    body.close()
    body.close()
    assert owner.abandoned == 1
    assert body.feed(b"bcX") == b"X"
    assert body.ready() == b""


def test_closing_behind_the_end_is_no_abandoning() -> None:
    owner = Owner()
    body = LengthBody(owner, 1)
    body.feed(b"a")
    body.close()
    assert owner.abandoned == 0


@pytest.mark.parametrize("line", [b"A:" + b" " * 16000 + b"\x01", b"A: x" + b" \t" * 8000 + b"y"])
def test_a_trailer_line_is_read_in_linear_time(line: bytes) -> None:
    body = ChunkedBody(Owner())
    start = time.perf_counter()
    if b"\x01" in line:
        with pytest.raises(FramingError):
            body.feed(b"0\r\n" + line + b"\r\n\r\n")
    else:
        assert body.feed(b"0\r\n" + line + b"\r\n\r\n") == b""
    assert time.perf_counter() - start < 0.2
