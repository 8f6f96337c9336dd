"""What is read without aiohttp's parser is read as that one reads it."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgerouter.http import lines
from edgerouter.http.errors import ExchangeError
from edgerouter.http.lines import line_of
from edgerouter.proxy.downstream import common_head
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.parser import HeadParser
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.proxy.upstream.head import ResponseHead, read_common, read_head

FIELDS = (
    *(b"Host: a", b"host:a.test:8080", b"HOST:  a\t", b"Accept: */*", b"Accept:", b"X-\xc3: a"),
    *(b"Connection: keep-alive", b"Connection: close", b"Connection: close, X-A", b"connection:"),
    *(b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: +5", b"Content-Length:"),
    *(b"Content-Length: 99999999999999999999", b"Content-Length : 5", b"Content-Length: 5, 5"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Transfer-Encoding: Chunked"),
    *(b"Upgrade: websocket", b"Expect: 100-continue", b"TE: trailers", b"Keep-Alive: 5"),
    *(b"X-Forwarded-For: 1.2.3.4", b"x_forwarded_for: 1", b"X_A: b", b"X.A: b", b"Trailer: X-B"),
    *(b"Content-Type: a", b"User-Agent: a", b"Date: now", b"Cookie: a=b", b"X: \xff\x80 b "),
    *(
        b"X: a\x00b",
        b"X: a\rb",
        b"X: a\nb",
        b" X: folded",
        b"X",
        b": a",
        b"",
        b"X: a\x7f",
        b"X:\x01",
    ),
    *(b"Server: nginx", b"Set-Cookie: a=b", b"X-A: " + b"a" * 600, b"Proxy-Connection: close"),
)
REQUEST_LINES = (
    *(
        b"GET / HTTP/1.1",
        b"POST /a/b?c=d&e=%20;f HTTP/1.1",
        b"HEAD //a HTTP/1.1",
        b"PUT /%zz HTTP/1.1",
    ),
    *(b"GET / HTTP/1.0", b"GET /# HTTP/1.1", b"GET http://a/ HTTP/1.1", b"OPTIONS * HTTP/1.1"),
    *(
        b"CONNECT a:80 HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET /\xc3 HTTP/1.1",
    ),
    *(
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/11",
        b"GET / http/1.1",
        b"GET /a b HTTP/1.1",
        b"",
        b"PATCH /? HTTP/1.1",
    ),
)
STATUS_LINES = (
    *(
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 404 ",
        b"HTTP/1.1 999 \xff",
        b"HTTP/1.1 204 No Content",
    ),
    *(b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Switching", b"HTTP/1.1 20 OK"),
    *(b"HTTP/1.1  200 OK", b"HTTP/1.1 200 O\x00K", b"HTTP/2 200 OK", b"http/1.1 200 OK", b""),
)


def heads(first: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Heads of known lines, with a byte changed, removed or added now and then."""

    def spoiled(data: tuple[bytes, list[bytes], int, bytes, int]) -> bytes:
        line, fields, place, byte, length = data
        text = b"\r\n".join([line, *fields])
        place %= len(text) + 1
        return text[:place] + byte + text[place + length :]

    none = st.just(b"")
    return st.tuples(
        st.sampled_from(first),
        st.lists(st.sampled_from(FIELDS), max_size=6),
        st.integers(0, 1000),
        st.one_of(none, none, none, st.binary(min_size=1, max_size=1)),
        st.sampled_from((0, 0, 0, 1)),
    ).map(spoiled)


def parsed(text: bytes) -> tuple[object, ...]:
    """Return what the parser says of a request head; an error's name if it refuses it."""

    async def run() -> Head:
        return HeadParser(asyncio.get_running_loop(), 1 << 20)._parse(text + b"\r\n\r\n")

    try:
        head = asyncio.run(run())
    except ExchangeError as error:
        return (type(error).__name__,)
    return said(head)


def said(head: Head) -> tuple[object, ...]:
    special = [(line.kind, line.pair) for line in head.special]
    return head.method, head.target, head.version, head.keep_alive, head.plain, special


@given(heads(REQUEST_LINES))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close")
def test_requests_are_read_as_by_the_parser(text: bytes) -> None:
    for _ in range(2):  # Once to learn the lines.
        head = common_head.read(text)
        if head is not None:
            assert said(head) == parsed(text)


BROWSER = (
    b"GET /a/page?of=it HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
    b"Accept: text/html,*/*;q=0.8\r\nCookie: a=b; c=d\r\nConnection: keep-alive\r\nDNT: 1"
)
SERVER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\n"
    b"Content-Type: text/html\r\nContent-Length: 120\r\nConnection: keep-alive\r\n\r\n"
)


def test_what_is_usual_is_common() -> None:
    head = common_head.read(BROWSER)
    assert head is not None
    assert said(head) == parsed(BROWSER)
    assert read_common(SERVER) is not None
    assert read_common(SERVER.replace(b"Content-Length: 120", b"Transfer-Encoding: chunked"))


async def parsed_answer(text: bytes) -> tuple[object, ...]:
    """Return what the parser says of a final response head; an empty tuple if it refuses it."""
    connection = UpstreamH1(lambda _: None)
    try:
        message = connection._parse(text)
        return said_of(read_head(message.code, message.version, message.raw_headers))
    except Exception:
        return ()


def said_of(head: ResponseHead) -> tuple[object, ...]:
    facts = (head.status, head.length, head.chunked, head.keep_alive, head.upgrade)
    return (*facts, [pair for pair in head.headers if pair[0] != b"Date"])


@given(heads(STATUS_LINES))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nX: y")
def test_answers_are_read_as_by_the_parser(text: bytes) -> None:
    for _ in range(2):
        head = read_common(text + b"\r\n\r\n")
        if head is not None:
            assert said_of(head) == asyncio.run(parsed_answer(text + b"\r\n\r\n"))


def test_answers_that_end_lines_with_a_bare_lf_are_left_to_the_parser() -> None:
    assert read_common(b"HTTP/1.1 200 OK\r\nX: abcd\n\n") is None


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"X-Remembered: 1", True),
        (b"Authorization: Bearer secret", False),
        (b"cookie: session=secret", False),
        (b"X-Long: " + b"a" * lines.LONGEST, False),
    ],
)
def test_credentials_and_long_lines_are_not_remembered(line: bytes, kept: bool) -> None:
    read = line_of(line)
    assert read is not None
    assert read.pair == tuple(line.split(b": "))
    assert (line in lines.SEEN) is kept


def test_the_memory_is_bounded() -> None:
    most = lines.ENTRIES + lines.serve_hosts(0)
    for number in range(2 * lines.ENTRIES):
        assert line_of(b"X-Number: %d" % number) is not None
        assert line_of(b"Host: %d.test" % number) is not None
        assert len(lines.SEEN) <= most
        common_head.read(b"GET /%d HTTP/1.1\r\nHost: a" % number)
        assert len(common_head._first_lines) <= common_head._FIRST_LINES


def test_the_lines_of_all_hosts_that_are_served_are_remembered() -> None:
    most = lines.serve_hosts(lines.ENTRIES)
    hosts = [b"Host: %d.served.test" % number for number in range(lines.ENTRIES)]
    assert most > len(hosts)
    assert line_of(b"Host: the.first.test") is not None
    known = [line_of(line) for line in hosts]
    assert [line_of(line) for line in hosts] == known


def test_hosts_do_not_push_other_lines_out_of_the_memory() -> None:
    most = lines.serve_hosts(0)
    known = line_of(b"X-Stays: 1")
    for number in range(2 * most):
        assert line_of(b"Host: %d.other.test" % number) is not None
    assert line_of(b"X-Stays: 1") is known
