import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http import fields
from edgerouter.http.errors import BadRequest, ExchangeError, HeadTooLarge
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.parser import HeadParser

GET = b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n"
BREW = b"brew /\xc3\xa9 HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n"


def feed(*parts: bytes, limit: int = 4096, as_traefik: bool = False) -> tuple[Head, bytes] | None:
    """Return what the last part brings; no part before it may bring anything."""

    async def run() -> tuple[Head, bytes] | None:
        parser = HeadParser(asyncio.get_running_loop(), limit, as_traefik=as_traefik)
        for part in parts[:-1]:
            assert parser.feed(part) is None
            assert parser.size > 0
        found = parser.feed(parts[-1])
        assert found is None or parser.size == 0
        return found

    return asyncio.run(run())


def said(head: Head) -> tuple[object, ...]:
    return head.method, head.target, head.version, head.keep_alive, head.plain, special(head)


def special(head: Head) -> list[object]:
    return [(line.kind, line.pair) for line in head.special]


@pytest.mark.parametrize("head", [GET, BREW, b"\r\n\r\n" + GET, b"\r\n" + BREW])
@pytest.mark.parametrize("rest", [b"", b"GET /"])
def test_a_head_may_be_cut_anywhere(head: bytes, rest: bytes) -> None:
    whole = feed(head + rest)
    assert whole is not None
    for cut in range(1, len(head)):
        found = feed(head[:cut], head[cut:] + rest)
        assert found is not None
        assert found[1] == whole[1] == rest
        assert said(found[0]) == said(whole[0])


def test_what_the_c_parser_is_too_narrow_for() -> None:
    found = feed(BREW)
    assert found is not None
    head = found[0]
    assert (head.method, head.target, head.version) == ("brew", "/é", (1, 1))
    assert (head.plain, special(head)) == ([(b"X", b"y")], [(fields.HOST, (b"Host", b"a"))])
    assert head.keep_alive


def test_fields_that_do_not_frame_may_come_twice() -> None:
    twice = b"User-Agent: a\r\nuser-agent: b\r\nContent-Type: c\r\nContent-Type: d\r\n"
    found = feed(GET[:-2] + twice + b"\r\n" + GET)
    assert found is not None
    assert [value for _, value in found[0].plain] == [b"a", b"b", b"c", b"d"]
    assert (found[0].method, found[0].target, found[1]) == ("GET", "/x?y", GET)


@pytest.mark.parametrize("field", ["Host: a", "Content-Length: 0", "Transfer-Encoding: chunked"])
def test_fields_that_frame_may_not(field: str) -> None:
    line = field.encode() + b"\r\n"
    for more in (b"", b"User-Agent: a\r\nUser-Agent: b\r\n"):
        with pytest.raises(BadRequest):
            feed(b"POST / HTTP/1.1\r\nHost: a\r\n" + more + line * 2 + b"\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET   /H HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\rX",
        b"BREW / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_becomes_no_head_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(BadRequest):
        feed(data)


def test_the_limit_counts_the_head_alone() -> None:
    assert feed(GET + b"x" * 100, limit=len(GET)) is not None
    for head in (GET, b"A" * 100, b"GET / HTTP/1.1\r\nX: " + b"a" * 100):
        with pytest.raises(HeadTooLarge):
            feed(head, limit=len(GET) - 1)


def test_as_traefik_repairs() -> None:
    found = feed(
        b"POST / HTTP/1.2\nHost: a\nX: a\n\tb\nContent-Length: 3\nContent-Length: 3\r\n\nabc",
        as_traefik=True,
    )
    assert found is not None
    head, rest = found
    assert (head.version, rest) == ((1, 2), b"abc")
    assert (b"X", b"a b") in head.plain
    with pytest.raises(BadRequest):
        feed(b"\r\n", as_traefik=True)


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5), st.booleans())
def test_whatever_comes_is_a_head_or_an_error_of_ours(parts: list[bytes], as_traefik: bool) -> None:
    async def run() -> None:
        parser = HeadParser(asyncio.get_running_loop(), 100, as_traefik=as_traefik)
        for part in parts:
            parser.feed(part)

    with contextlib.suppress(ExchangeError):
        asyncio.run(run())


def test_a_client_that_speaks_http_2_at_once_is_told() -> None:
    with pytest.raises(BadRequest, match="HTTP/2 is not spoken here"):
        feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
