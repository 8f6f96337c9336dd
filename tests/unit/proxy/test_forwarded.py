import pytest

from edgerouter.http.headers import Headers
from edgerouter.proxy.forwarded import ForwardedHeaders, Networks, port_of


@pytest.mark.parametrize(
    ("cidrs", "ip", "inside"),
    [
        ((), "127.0.0.1", False),
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.1.2.3/8",), "10.0.0.1", True),
        (("192.0.2.1",), "192.0.2.1", True),
        (("192.0.2.1",), "192.0.2.2", False),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("2001:db8::/32",), "10.0.0.1", False),
        (("0.0.0.0/0",), "::1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "", False),
        (("0.0.0.0/0",), "@unix", False),
    ],
)
def test_networks(cidrs: tuple[str, ...], ip: str, inside: bool) -> None:
    assert (ip in Networks(cidrs)) is inside


def test_insecure_trusts_everything() -> None:
    assert "" in ForwardedHeaders({"insecure": True}).trusted
    assert "192.0.2.1" not in ForwardedHeaders({}).trusted


@pytest.mark.parametrize(
    ("secure", "websocket", "proto", "port"),
    [
        (False, False, b"http", b"80"),
        (True, False, b"https", b"443"),
        (False, True, b"ws", b"80"),
        (True, True, b"wss", b"443"),
    ],
)
def test_what_is_added(secure: bool, websocket: bool, proto: bytes, port: bytes) -> None:
    added = Headers(ForwardedHeaders({}).added(b"a.test", secure=secure, websocket=websocket))
    assert added.all(b"x-forwarded-proto") == [proto]
    assert added.all(b"x-forwarded-port") == [port]
    assert added.all(b"x-forwarded-host") == [b"a.test"]
    assert len(added.all(b"x-forwarded-server")) == 1


def test_no_host_no_forwarded_host() -> None:
    added = Headers(ForwardedHeaders({}).added(b"", secure=False, websocket=False))
    assert not added.has(b"x-forwarded-host")


def complete(*pairs: tuple[bytes, bytes], secure: bool = False) -> Headers:
    return ForwardedHeaders({}).complete(
        Headers(pairs), b"a.test", b"192.0.2.1", secure=secure, websocket=False
    )


def test_a_trusted_peer_is_believed_and_completed() -> None:
    result = complete((b"x-forwarded-host", b"b.test"), (b"X-Real-IP", b"203.0.113.9"))
    assert result.all(b"x-forwarded-host") == [b"b.test"]
    assert result.all(b"x-real-ip") == [b"203.0.113.9"]
    assert result.all(b"x-forwarded-proto") == [b"http"]


def test_the_trusted_scheme_decides_the_port() -> None:
    result = complete((b"X-Forwarded-Proto", b"https"))
    assert result.all(b"x-forwarded-proto") == [b"https"]
    assert result.all(b"x-forwarded-port") == [b"443"]


def test_the_server_is_always_this_one() -> None:
    result = complete((b"X-Forwarded-Server", b"other"))
    assert len(result.all(b"x-forwarded-server")) == 1
    assert result.first(b"x-forwarded-server") != b"other"


SCHEMES = ForwardedHeaders({"addXForwardedSchemeHeaders": True})


@pytest.mark.parametrize(
    ("pairs", "scheme"),
    [
        ([], b"wss"),
        ([(b"X-Scheme", b"gopher"), (b"x-forwarded-scheme", b"gopher")], b"wss"),
        ([(b"X-Forwarded-Proto", b"https")], b"https"),
    ],
)
def test_the_scheme_is_repeated_when_told_so(
    pairs: list[tuple[bytes, bytes]], scheme: bytes
) -> None:
    told = SCHEMES.complete(Headers(pairs), b"a.test", b"192.0.2.1", secure=True, websocket=True)
    for name in (b"x-forwarded-proto", b"x-forwarded-scheme", b"x-scheme"):
        assert told.all(name) == [scheme]


def test_the_scheme_of_a_client_that_is_not_trusted_is_repeated_too() -> None:
    added = Headers(SCHEMES.added(b"a.test", secure=False, websocket=False))
    assert added.all(b"x-forwarded-scheme") == added.all(b"x-scheme") == [b"http"]
    assert not complete().has(b"x-scheme")


@pytest.mark.parametrize(
    ("authority", "port"),
    [
        (b"", b""),
        (b"a.test", b""),
        (b"a.test:81", b"81"),
        (b"[::1]:81", b"81"),
        (b"[::1]", b""),
        (b"a.test:", b""),
    ],
)
def test_port_of(authority: bytes, port: bytes) -> None:
    assert port_of(authority) == port
