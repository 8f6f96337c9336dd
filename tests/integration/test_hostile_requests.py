"""Hostile bytes to a real router: what is answered, and that the upstream never sees a smuggled
request, that the connection ends, and that the next client is served as if nothing had happened.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.support.hostile import (
    CHUNKED,
    HOST,
    SMUGGLED,
    assert_serves,
    get,
    hostile_router,
    lines,
    post,
    send,
)
from tests.support.raw_http import exchange
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


FRAMING: dict[str, tuple[bytes, int]] = {
    "length and coding": (
        post(b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "coding and length": (
        post(CHUNKED, b"Content-Length: 400", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "coding twice": (post(CHUNKED, CHUNKED, body=b"0\r\n\r\n" + SMUGGLED), 400),
    "coding twice in a list": (
        post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "identity behind chunked": (
        post(CHUNKED, b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "gzip": (post(b"Transfer-Encoding: gzip", body=SMUGGLED), 501),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "xchunked": (post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED), 501),
    "vertical tab in coding": (
        post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "quoted coding": (post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + SMUGGLED), 501),
    "coding with parameter": (
        post(b"Transfer-Encoding: chunked;a=b", body=b"0\r\n\r\n" + SMUGGLED),
        501,
    ),
    "empty coding": (post(b"Transfer-Encoding:", body=SMUGGLED), 501),
    "coding, space before colon": (
        post(b"Transfer-Encoding : chunked", b"Content-Length: 3", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "folded coding": (
        post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "coding on HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    "two lengths": (
        post(b"Content-Length: 0", b"Content-Length: 40", body=SMUGGLED),
        400,
    ),
    "the same length twice": (
        post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc" + SMUGGLED),
        400,
    ),
    "length list": (post(b"Content-Length: 3, 3", body=b"abc" + SMUGGLED), 400),
    "signed length": (post(b"Content-Length: +3", body=b"abc" + SMUGGLED), 400),
    "negative length": (post(b"Content-Length: -1", body=SMUGGLED), 400),
    "hexadecimal length": (post(b"Content-Length: 0x3", body=b"abc" + SMUGGLED), 400),
    "length with underscore": (post(b"Content-Length: 1_0", body=b"abc" + SMUGGLED), 400),
    "length with a space": (post(b"Content-Length: 1 0", body=b"abc" + SMUGGLED), 400),
    "empty length": (post(b"Content-Length:", body=SMUGGLED), 400),
    "length over 64 bits": (post(b"Content-Length: 18446744073709551616", body=b"abc"), 400),
    "length over 63 bits": (post(b"Content-Length: 9223372036854775808", body=b"abc"), 400),
    "length of 5000 digits": (post(b"Content-Length: " + b"9" * 5000, body=b"abc"), 400),
    "length, space before colon": (post(b"Content-Length : 3", body=b"abc"), 400),
    "length, tab before colon": (post(b"Content-Length\t: 3", body=b"abc"), 400),
}
"""What, and the status it gets. The router must refuse each of them and close."""

HEADS: dict[str, tuple[bytes, int]] = {
    "bare LF": (b"GET / HTTP/1.1\nHost: a.test\n\n" + SMUGGLED, 400),
    "bare LF behind a field": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\n" + HOST + b"\n" + SMUGGLED, 400),
    "bare CR in a value": (get(b"X: a\rTransfer-Encoding: chunked"), 400),
    "bare CR line ends": (b"GET / HTTP/1.1\rHost: a.test\r\r", 400),
    "obs-fold": (get(b"X: a\r\n b"), 400),
    "fold in the first field": (b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", 400),
    "space before colon": (get(b"X : a"), 400),
    "no colon": (get(b"X"), 400),
    "empty name": (get(b": a"), 400),
    "NUL in a value": (get(b"X: a\x00b"), 400),
    "control in a value": (get(b"X: a\x01b"), 400),
    "NUL in a name": (get(b"X\x00: a"), 400),
    "parenthesis in a name": (get(b"X(: a"), 400),
    "high byte in a name": (get(b"X\xff: a"), 400),
    "NUL in the target": (get(target=b"/a\x00b"), 400),
    "tab in the target": (get(target=b"/a\tb"), 400),
    "space in the target": (get(target=b"/a b"), 400),
    "two hosts": (get(b"Host: b.test"), 400),
    "the same host twice": (get(b"Host: a.test"), 400),
    "no host": (get(host=b""), 400),
    "slash in the host": (get(host=b"Host: a.test/admin\r\n"), 400),
    "space in the host": (get(host=b"Host: a.test b.test\r\n"), 400),
    "user in the host": (get(host=b"Host: user@a.test\r\n"), 400),
    "DEL in the host": (get(host=b"Host: a.test\x7f\r\n"), 400),
    "bad port": (get(host=b"Host: a.test:80a\r\n"), 400),
    "two ports": (get(host=b"Host: a.test:80:81\r\n"), 400),
    "open bracket": (get(host=b"Host: [::1\r\n"), 400),
    "high byte in the host": (get(host=b"Host: a\xff.test\r\n"), 400),
    "quote in the host": (get(host=b'Host: a".test\r\n'), 400),
    "space in the host beside an absolute target": (
        get(target=b"http://a.test/", host=b"Host: a.test b.test\r\n"),
        400,
    ),
    "fragment": (get(target=b"/a#b"), 400),
    "fragment in an absolute target": (get(target=b"http://a.test/#b"), 400),
    "lone percent": (get(target=b"/%"), 400),
    "broken escape": (get(target=b"/%zz"), 400),
    "short escape": (get(target=b"/a%2"), 400),
    "absolute, no host": (get(target=b"http:///admin"), 400),
    "absolute, foreign scheme": (get(target=b"ftp://a.test/"), 400),
    "absolute, file": (get(target=b"file:///etc/passwd"), 400),
    "absolute, bad host": (get(target=b"http://a.test\\@b.test/"), 400),
    "absolute, no scheme": (get(target=b"a.test/"), 400),
    "asterisk with GET": (get(target=b"*"), 400),
    "CONNECT": (b"CONNECT a.test:443 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED, 501),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 400),
    "HTTP/1.11": (b"GET / HTTP/1.11\r\n" + HOST + b"\r\n", 400),
    "HTTP/1.9": (b"GET / HTTP/1.9\r\n" + HOST + b"\r\n", 400),
    "lower-case version": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "space before the method": (b" GET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bad method": (b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "binary": (bytes(range(200)), 400),
    "expectation": (get(b"Expect: the-unexpected"), 417),
    "many fields": (get(*[b"X-%d: a" % n for n in range(501)]), 431),
    "huge field": (get(b"X: " + b"a" * 1_100_000), 431),
    "huge request line": (get(target=b"/" + b"a" * 1_100_000), 431),
    "huge method": (b"A" * 1_100_000, 431),
    "two spaces before the target": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "three spaces, H behind": (b"GET   /H HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces before the version": (b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space behind the version": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "tab for a space": (b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/0.9, open": (b"GET /\r\n", 400),
    "HTTP/0.9, no path": (b"GET\r\n", 400),
    "two words": (b"HELO there\r\n", 400),
    "ICE": (b"SOURCE / ICE/1.0\r\n" + HOST + b"\r\n", 400),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    "user with a backslash": (get(target=b"http://a\\@a.test/"), 400),
}


def brew(data: bytes) -> bytes:
    """Return the request with a method that nobody has registered."""
    start = data.index(b" ") if b" " in data else 0
    return (b"brew" if data[:start].islower() else b"BREW") + data[start:]


def high(data: bytes) -> bytes:
    """Return the request with a target that is not ASCII."""
    first, end, rest = data.partition(b"\r\n")
    method, _, line = first.partition(b" /")
    return method + b" /\xc3\xa9\xff" + line + end + rest


RARE = {
    f"{spelling.__name__}: {name}": (spelling(data), status)
    for name, (data, status) in [*FRAMING.items(), *HEADS.items()]
    for spelling in (brew, high)
    if data.startswith((b"GET /", b"POST /")) and len(data) < 100_000
}
"""The same for the parser that reads heads which the C parser is too narrow for."""


@pytest.mark.parametrize(
    ("data", "status"),
    [*FRAMING.values(), *HEADS.values(), *RARE.values()],
    ids=[*FRAMING, *HEADS, *RARE],
)
def test_what_must_not_be_forwarded_is_refused(
    router: RouterProcess, upstream: RecordingUpstream, data: bytes, status: int
) -> None:
    upstream.take()
    answer = send(router, data)
    assert (answer.status, answer.closed, answer.complete) == (status, True, True)
    assert lines(upstream.take()) == []
    assert_serves(router, upstream)


BODIES = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "0x size": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size with underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "size over 64 bits": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "no hexadecimal": b"3g\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the size": b"3\nabc\r\n0\r\n\r\n",
    "bare CR behind the size": b"3\rabc\r\n0\r\n\r\n",
    "bare LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;a\x00\r\nabc\r\n0\r\n\r\n",
    "endless extension": b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
    "content longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF behind the content": b"3\r\nabc\n0\r\n\r\n",
    "no CRLF behind the content": b"3\r\nabc0\r\n\r\n",
    "bare LF behind the last chunk": b"3\r\nabc\r\n0\n\n",
    "request for a trailer": b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "endless trailers": b"0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
}


@pytest.mark.parametrize("spelling", [bytes, brew])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_malformed_chunks_are_refused(
    router: RouterProcess,
    upstream: RecordingUpstream,
    body: bytes,
    spelling: Callable[[bytes], bytes],
) -> None:
    upstream.take()
    answer = send(router, spelling(post(CHUNKED, body=body + SMUGGLED)))
    assert (answer.status, answer.closed) == (400, True)
    assert lines(upstream.take()) == []
    assert_serves(router, upstream)


def test_chunk_extensions_end_here_and_forbidden_trailers_are_dropped(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    names = (b"Content-Length", b"Host", b"Transfer-Encoding", b"Cookie", b"X-Real-Ip", b"X-Sum")
    trailers = b"".join(name + b": 1\r\n" for name in names)
    body = b'3;x="\xe4"\r\nabc\r\n000\r\n' + trailers + b"\r\n"
    answer = send(router, post(CHUNKED, b"Trailer: X-Sum", body=body), watch_close=0)
    assert answer.status == 200
    [seen] = upstream.take()
    assert seen.body == b"abc"
    assert seen.trailers == [("X-Sum", "1")]


@pytest.mark.parametrize(
    "field",
    [
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Real-Ip",
        b"Host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"X-Forwarded-Host, x-forwarded-server",
    ],
)
def test_connection_takes_nothing_of_ours_away(
    router: RouterProcess, upstream: RecordingUpstream, field: bytes
) -> None:
    upstream.take()
    data = post(b"Connection: " + field, b"Content-Length: 3", b"X-Forwarded-For: 6.6.6.6")
    answer = send(router, data + b"abc", watch_close=0)
    assert answer.status == 200
    [seen] = upstream.take()
    assert seen.body == b"abc"
    assert seen.all("host") == ["a.test"]
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert seen.all("x-forwarded-proto") == ["http"]
    assert seen.all("x-forwarded-host") == ["a.test"]
    assert seen.all("x-real-ip") == ["127.0.0.1"]
    assert len(seen.all("x-forwarded-server")) == 1


def test_fields_of_this_hop_stay_here(router: RouterProcess, upstream: RecordingUpstream) -> None:
    upstream.take()
    hop = (b"Connection: close, X-Secret", b"X-Secret: 1", b"Keep-Alive: 5", b"Proxy-Connection: a")
    spoofed = (b"x_forwarded_for: 6.6.6.6", b"X_Real_Ip: 6.6.6.6", b"X-Forwarded_Proto: https")
    answer = send(router, get(*hop, *spoofed, b"Proxy-Authorization: b", b"X-Kept: 1"))
    assert (answer.status, answer.closed) == (200, True)
    [seen] = upstream.take()
    names = {name.lower() for name, _ in seen.headers}
    assert "x-kept" in names
    assert not names & {
        "x-secret",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "x_forwarded_for",
        "x_real_ip",
        "x-forwarded_proto",
    }


def test_h2c_is_not_an_upgrade_we_pass_on(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    fields = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    answer = send(router, get(*fields), watch_close=0)
    assert answer.status == 200
    [seen] = upstream.take()
    assert seen.all("upgrade") == []
    assert seen.all("http2-settings") == []


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (b"/x/../y", "GET /y HTTP/1.1"),
        (b"/x/%2e%2e/y", "GET /y HTTP/1.1"),
        (b"//y", "GET /y HTTP/1.1"),
        (b"/../../y", "GET /y HTTP/1.1"),
        (b"http://a.test/x/../y?q", "GET /y?q HTTP/1.1"),
        (b"http://a.test", "GET / HTTP/1.1"),
        (b"/\xc3\xa9?\xff", "GET /%C3%A9?\xff HTTP/1.1"),
        (b"/x/..%2f\xe9", "GET /%E9 HTTP/1.1"),
    ],
)
def test_targets_are_normalised(
    router: RouterProcess, upstream: RecordingUpstream, target: bytes, line: str
) -> None:
    upstream.take()
    assert send(router, get(target=target), watch_close=0).status == 200
    assert lines(upstream.take()) == [line]


@pytest.mark.parametrize("method", [b"BREW", b"get", b"a!#$%&'*+-.^_`|~9", b"GET-", b"SOURCE"])
def test_any_token_is_a_method(
    router: RouterProcess, upstream: RecordingUpstream, method: bytes
) -> None:
    upstream.take()
    head = method + b" /x HTTP/1.1\r\n" + HOST
    data = head + b"Content-Length: 3\r\n\r\nabc" + head + CHUNKED + b"\r\n\r\n1\r\na\r\n0\r\n\r\n"
    answers = exchange(router.ports["web"], data + get(target=b"/last"), count=3)
    assert [answer.status for answer in answers] == [200, 200, 200]
    seen = [(each.line, each.body) for each in upstream.take()]
    line = f"{method.decode()} /x HTTP/1.1"
    assert seen == [(line, b"abc"), (line, b"a"), ("GET /last HTTP/1.1", b"")]


@pytest.mark.parametrize(
    "target",
    [
        b"/admin",
        b"//admin",
        b"/x/../admin",
        b"/x/%2e%2E/admin",
        b"/%61dmin",
        b"/./admin/",
        b"http://evil.test/admin",
        b'/x/..%2Fadmin/"',
        b'/x%2F..%2Fadmin/"',
        b"/x/..%2f..%2fadmin/%5B^",
    ],
)
def test_a_router_is_not_evaded_by_spelling(
    router: RouterProcess, upstream: RecordingUpstream, target: bytes
) -> None:
    """The router for ``/admin`` has no servers: its 503 shows that it was chosen."""
    upstream.take()
    assert send(router, get(target=target), watch_close=0).status == 503
    assert upstream.take() == []


def test_an_absolute_target_wins_over_host(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    answer = send(router, get(target=b"http://user@b.test:81/y"), watch_close=0)
    assert answer.status == 200
    [seen] = upstream.take()
    assert (seen.line, seen.all("host")) == ("GET /y HTTP/1.1", ["b.test:81"])
    assert seen.all("x-forwarded-host") == ["b.test:81"]


def test_garbage_behind_a_body_is_a_new_request_and_refused(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    data = post(b"Content-Length: 3", body=b"abc\x00garbage\r\n\r\n" + SMUGGLED)
    first, second = exchange(router.ports["web"], data, count=2, watch_close=3.0)
    assert (first.status, second.status, second.closed) == (200, 400, True)
    assert [(each.line, each.body) for each in upstream.take()] == [("POST / HTTP/1.1", b"abc")]
    assert_serves(router, upstream)


def test_pipelined_requests_are_answered_in_order_and_behind_a_bad_one_none(
    router: RouterProcess, upstream: RecordingUpstream
) -> None:
    upstream.take()
    data = get(target=b"/1") + get(target=b"/2") + get(b"X : a", target=b"/3") + SMUGGLED
    answers = exchange(router.ports["web"], data, count=3, watch_close=3.0)
    assert [answer.status for answer in answers] == [200, 200, 400]
    assert answers[-1].closed
    assert lines(upstream.take()) == ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"]
