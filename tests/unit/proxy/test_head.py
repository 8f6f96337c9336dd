"""Heads as the parser hands them on: it vouches for the numbers in them, and for no more."""

from typing import Any

import pytest

from edgerouter.http.errors import BadRequest
from edgerouter.http.lines import FEWEST_HOSTS
from edgerouter.http.message import Peer
from edgerouter.http.tls import TlsFacts
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.head import (
    ExpectationFailed,
    HeadReader,
    RequestHead,
    UnsupportedTransferCoding,
)
from edgerouter.proxy.entrypoint import EntryPoint

Pair = tuple[bytes, bytes]
HOST = (b"Host", b"A.test:81")


def reader(trusted: bool = False, **options: Any) -> HeadReader:
    return HeadReader(EntryPoint("web", options), Peer("192.0.2.1", 1234, "web", trusted=trusted))


def parsed(
    *pairs: Pair, target: str = "/", method: str = "GET", version: tuple[int, int] = (1, 1)
) -> Head:
    head = Head(method, target, version, keep_alive=True)
    head.add(pairs)
    return head


def read(
    *pairs: Pair,
    target: str = "/",
    method: str = "GET",
    version: tuple[int, int] = (1, 1),
    trusted: bool = False,
    **options: Any,
) -> RequestHead:
    head = parsed(HOST, *pairs, target=target, method=method, version=version)
    return reader(trusted, **options).read(head)


def test_a_plain_request() -> None:
    head = read((b"X-a", b"1"), (b"x-A", b"2"), target="/a/../b?c=d;e")
    request = head.request
    assert (request.method, request.path, request.query) == ("GET", "/b", "c=d&e")
    assert (request.host, request.authority, request.scheme) == ("a.test", "A.test:81", "http")
    assert request.headers[:2] == [(b"X-a", b"1"), (b"x-A", b"2")]
    assert not request.headers.has(b"host")
    assert (head.length, head.chunked, request.upgrade) == (0, False, "")


def test_semicolons_can_be_encoded() -> None:
    assert read(target="/?a;b", http={"encodeQuerySemicolons": True}).request.query == "a%3Bb"


@pytest.mark.parametrize(
    ("target", "authority", "path"),
    [("http://b.test/x", "b.test", "/x"), ("https://u@b.test:8", "b.test:8", "/")],
)
def test_an_absolute_target_wins_over_host(target: str, authority: str, path: str) -> None:
    request = read(target=target).request
    assert (request.authority, request.path, request.host) == (authority, path, "b.test")
    assert request.headers.all(b"x-forwarded-host") == [authority.encode()]


def test_hosts_of_two_requests_on_a_connection_are_not_mixed_up() -> None:
    heads = reader()
    for host in (b"a.test", b"b.test:81", b"a.test"):
        request = heads.read(parsed((b"Host", host))).request
        assert request.authority == host.decode()
        assert request.headers.all(b"x-forwarded-host") == [host]
        assert request.host == host.decode().partition(":")[0]


def test_values_of_host_are_remembered_within_bounds() -> None:
    heads = reader()
    for number in range(2 * FEWEST_HOSTS):
        request = heads.read(parsed((b"Host", b"h%d.test" % number))).request
        assert request.headers.all(b"x-real-ip") == [b"192.0.2.1"]
        assert len(heads._hosts) <= FEWEST_HOSTS
    before = len(heads._hosts)
    heads.read(parsed((b"Host", b"a." * 200 + b"test")))
    assert len(heads._hosts) == before


def test_what_is_known_of_a_host_differs_with_tls() -> None:
    entrypoint = EntryPoint("web", {})
    for tls, port in ((None, b"80"), (TlsFacts("TLSv1.3", ""), b"443"), (None, b"80")):
        heads = HeadReader(entrypoint, Peer("192.0.2.1", 1234, "web", tls=tls))
        request = heads.read(parsed((b"Host", b"a.test"))).request
        assert request.headers.all(b"x-forwarded-port") == [port]


def test_fields_of_this_hop_go() -> None:
    names = (b"Keep-Alive", b"Proxy-Connection", b"Proxy-Authorization", b"HTTP2-Settings")
    listed = (b"Connection", b"close , X-Secret"), (b"X-SECRET", b"1")
    request = read(*((name, b"1") for name in names), *listed, (b"X-Kept", b"1")).request
    assert [name for name, _ in request.headers if not name.startswith((b"X-F", b"X-R"))] == [
        b"X-Kept"
    ]
    assert request.exchange.proxy_authorization == b"1"  # For an authentication server of ours.


@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"X-Real-Ip", b"X-Forwarded-Proto"])
def test_connection_takes_no_forwarded_field_away(name: bytes) -> None:
    spoken = (name, b"203.0.113.9")
    trusted = read((b"Connection", name), spoken, trusted=True).request
    assert trusted.headers.all(name.lower()) == [b"203.0.113.9"]
    assert read((b"Connection", name), spoken).request.headers.all(name.lower()) != [b"203.0.113.9"]


def test_configured_connection_tokens_are_kept() -> None:
    options = {"forwardedHeaders": {"connection": ["X-Kept"]}}
    request = read(
        (b"Connection", b"X-Kept, X-Gone"), (b"X-Kept", b"1"), (b"X-Gone", b"1"), **options
    )
    assert request.request.headers.has(b"x-kept")
    assert not request.request.headers.has(b"x-gone")


@pytest.mark.parametrize(
    "name", [b"X-Forwarded-For", b"x_forwarded_for", b"X-Real_Ip", b"X_Scheme"]
)
def test_a_stranger_is_not_believed(name: bytes) -> None:
    headers = read((name, b"203.0.113.9")).request.headers
    assert b"203.0.113.9" not in [value for _, value in headers]
    assert headers.all(b"x-real-ip") == [b"192.0.2.1"]


@pytest.mark.parametrize("as_traefik", [False, True])
def test_the_scheme_is_said_once_and_by_us(as_traefik: bool) -> None:
    options = {"forwardedHeaders": {"addXForwardedSchemeHeaders": True}}
    entry_point = EntryPoint("web", options, as_traefik=as_traefik)
    client = HeadReader(entry_point, Peer("192.0.2.1", 1234, "web"))
    spoken = [(name, b"https") for name in (b"X-Scheme", b"X-Forwarded-Scheme", b"x_scheme")]
    headers = client.read(parsed(HOST, *spoken)).request.headers
    assert headers.all(b"x-scheme") == headers.all(b"x-forwarded-scheme") == [b"http"]
    assert not headers.has(b"x_scheme")


@pytest.mark.parametrize(
    ("connection", "upgrade", "expected"),
    [
        (b"Upgrade", b"websocket", "websocket"),
        (b"keep-alive, UPGRADE", b"WebSocket", "WebSocket"),
        (b"Upgrade, HTTP2-Settings", b"h2c", ""),
        (b"Upgrade", b"H2C", ""),
        (b"keep-alive", b"websocket", ""),
        (b"Upgrade", b"", ""),
    ],
)
def test_upgrade(connection: bytes, upgrade: bytes, expected: str) -> None:
    request = read((b"Connection", connection), (b"Upgrade", upgrade)).request
    assert request.upgrade == expected
    assert not request.headers.has(b"upgrade")


@pytest.mark.parametrize(("te", "kept"), [(b"trailers, gzip", [b"trailers"]), (b"gzip", [])])
def test_te_says_at_most_trailers(te: bytes, kept: list[bytes]) -> None:
    assert read((b"TE", te)).request.headers.all(b"te") == kept


def test_framing() -> None:
    assert read((b"content-length", b"12")).length == 12
    assert read((b"transfer-encoding", b" Chunked ")).chunked


@pytest.mark.parametrize(
    "coding", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"xchunked", b""]
)
def test_other_codings_are_refused(coding: bytes) -> None:
    with pytest.raises(UnsupportedTransferCoding):
        read((b"Transfer-Encoding", coding))


def test_chunked_is_unknown_to_http_1_0() -> None:
    with pytest.raises(BadRequest):
        read((b"Transfer-Encoding", b"chunked"), version=(1, 0))


def test_expectations() -> None:
    assert read((b"Expect", b"100-Continue")).request.expects_continue
    assert not read((b"Expect", b"100-continue"), version=(1, 0)).request.expects_continue
    with pytest.raises(ExpectationFailed):
        read((b"Expect", b"more"))


def test_underscores() -> None:
    field = (b"X_User", b"1")
    assert read(field).request.headers.has(b"x_user")
    dropped = read(field, http={"underscoreHeadersStrategy": "delete"}).request
    assert not dropped.headers.has(b"x_user")
    with pytest.raises(BadRequest, match="X_User"):
        read(field, http={"underscoreHeadersStrategy": "reject"})


@pytest.mark.parametrize("target", ["*", "a", "/#", "/%", "http://a b/"])
def test_bad_targets(target: str) -> None:
    with pytest.raises(BadRequest):
        read(target=target)


def test_options_of_the_server_itself() -> None:
    assert read(target="*", method="OPTIONS").request.target == "*"
