"""Hostile bytes to a real router: what is answered, and that the upstream never sees a smuggled
request, that the connection ends, and that the next client is served as if nothing had happened.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange
from tests.support.recording_upstream import RecordingUpstream, Seen
from tests.support.router_process import RouterProcess

FLAGS = {
    "entrypoints.small.http.maxheaderbytes": "2000",
    "entrypoints.slow.transport.respondingtimeouts.readtimeout": "500ms",
    "entrypoints.proxied.proxyprotocol.trustedips": "127.0.0.1",
    "entrypoints.foreign.proxyprotocol.trustedips": "10.0.0.0/8",
}
HOST = b"Host: a.test\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    with EchoServer(["echo"]) as echo:
        yield echo.ports["echo"]


@pytest.fixture(scope="module")
def router(
    tmp_path_factory: pytest.TempPathFactory, upstream: RecordingUpstream, echo_port: int
) -> Iterator[RouterProcess]:
    server, echo = f"http://127.0.0.1:{upstream.port}", f"http://127.0.0.1:{echo_port}"
    dynamic: dict[str, Any] = {
        "http": {
            "routers": {
                "all": {"rule": "PathPrefix(`/`)", "service": "one", "priority": 1},
                "admin": {"rule": "PathPrefix(`/admin`)", "service": "gone", "priority": 9},
                "echo": {"rule": "PathPrefix(`/echo`)", "service": "echo", "priority": 9},
            },
            "services": {
                "one": {"loadBalancer": {"servers": [{"url": server}]}},
                "gone": {"loadBalancer": {"servers": []}},
                "echo": {"loadBalancer": {"servers": [{"url": echo}]}},
            },
        }
    }
    names = ["web", "small", "slow", "proxied", "foreign"]
    with edgerouter(tmp_path_factory.mktemp("hostile"), names, FLAGS, dynamic) as router:
        upstream.take()
        yield router


def send(router: RouterProcess, data: bytes, entrypoint: str = "web", **options: Any) -> Answer:
    options.setdefault("watch_close", 3.0)
    return exchange(router.ports[entrypoint], data, **options)[-1]


def assert_serves(router: RouterProcess, upstream: RecordingUpstream) -> None:
    """Check that a new client is served, and that its request is all the upstream sees."""
    answer = send(router, b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n", watch_close=0)
    assert (answer.status, answer.body) == (200, b"ok")
    assert lines(upstream.take()) == ["GET /fine HTTP/1.1"]


def lines(seen: list[Seen]) -> list[str]:
    return [each.line for each in seen]


def get(*fields: bytes, target: bytes = b"/", host: bytes = HOST) -> bytes:
    return (
        b"GET " + target + b" HTTP/1.1\r\n" + host + b"".join(f + b"\r\n" for f in fields) + b"\r\n"
    )


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
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
    "TLS ClientHello": (bytes.fromhex("16030100c8010000c40303") + b"\x11" * 190, 400),
    "expectation": (get(b"Expect: the-unexpected"), 417),
    "many fields": (get(*[b"X-%d: a" % n for n in range(501)]), 431),
    "huge field": (get(b"X: " + b"a" * 1_100_000), 431),
    "huge request line": (get(target=b"/" + b"a" * 1_100_000), 431),
    "huge method": (b"A" * 1_100_000, 400),
}


@pytest.mark.parametrize(
    ("data", "status"), [*FRAMING.values(), *HEADS.values()], ids=[*FRAMING, *HEADS]
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


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_malformed_chunks_are_refused(
    router: RouterProcess, upstream: RecordingUpstream, body: bytes
) -> None:
    upstream.take()
    answer = send(router, post(CHUNKED, body=body + SMUGGLED))
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
        (b" /y", "GET /y HTTP/1.1"),
    ],
)
def test_targets_are_normalised(
    router: RouterProcess, upstream: RecordingUpstream, target: bytes, line: str
) -> None:
    upstream.take()
    assert send(router, get(target=target), watch_close=0).status == 200
    assert lines(upstream.take()) == [line]


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


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 1.1.1.1 4096 80\r\n", V2_TCP4])
@pytest.mark.parametrize("entrypoint", ["web", "foreign"])
def test_a_proxy_header_of_anybody_else_is_a_bad_request(
    router: RouterProcess, upstream: RecordingUpstream, header: bytes, entrypoint: str
) -> None:
    upstream.take()
    answer = send(router, header + get(), entrypoint)
    assert (answer.status, answer.closed) == (400, True)
    assert upstream.take() == []
