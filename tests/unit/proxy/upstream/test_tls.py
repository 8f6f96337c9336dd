"""Servers reached over TLS: whom we trust, what we send, and what is said when it fails."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgerouter.http.body import EMPTY
from edgerouter.http.errors import ConnectTimeout, HandshakeFailed
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request, Response
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream import connect
from edgerouter.proxy.upstream.pool import Pools
from edgerouter.proxy.upstream.tls import TransportError, client_tls
from tests.support.authority import Authority, Pair
from tests.support.data_plane import upstream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """An HTTPS server that remembers its connections."""

    def __init__(self, pair: Pair, client_authority: Path | None = None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.certificate, pair.key)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.names: list[str | None] = []
        self.context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        if client_authority is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_authority)
        self.versions: list[str | None] = []
        self.ciphers: list[str] = []
        self.clients: list[Any] = []
        self.protocols: list[str | None] = []
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found: ssl.SSLObject = writer.get_extra_info("ssl_object")
        self.versions.append(found.version())
        self.ciphers.append((found.cipher() or ("",))[0])
        self.clients.append(found.getpeercert())
        self.protocols.append(found.selected_alpn_protocol())
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


Serving = Callable[[Server], AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=server.context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("localhost", "inside.test", "127.0.0.1", uris=("spiffe://a/b",))


def request() -> Request:
    made = Request()
    made.method, made.scheme, made.authority, made.host = "GET", "http", "a.test", "a.test"
    made.path, made.query, made.headers = "/x", None, Headers()
    made.body, made.upgrade, made.expects_continue = EMPTY, "", False
    made.inform = lambda _status, _headers: None
    made.peer, made.exchange = Peer("127.0.0.1", 1, "web"), Exchange()
    return made


async def ask(url: str, transport: Mapping[str, Any], times: int = 1) -> Response:
    """Send requests through a target of its own and close everything after them."""
    pools = Pools()
    target = Target(url, pools, "t@file", transport)
    try:
        for _ in range(times):
            response = await target(request())
        return response
    finally:
        pools.close()
        await asyncio.sleep(0)


async def test_a_trusted_server_is_asked(authority: Authority, pair: Pair) -> None:
    async with serving(Server(pair)) as server:
        transport = {"rootCAs": [str(authority.certificate)]}
        response = await ask(f"https://localhost:{server.port}", transport, times=2)
        assert response.status == 200
        assert await response.body.read() == b"ok"
    assert server.names == ["localhost"], "the second request re-uses the connection"
    assert len(server.requests) == 2
    assert b"GET /x HTTP/1.1\r\nHost: a.test\r\n" in server.requests[0]
    assert server.protocols == ["http/1.1"]


async def test_authorities_may_be_given_as_text(authority: Authority, pair: Pair) -> None:
    async with serving(Server(pair)) as server:
        transport = {"rootCAs": [authority.certificate.read_text()]}
        assert (await ask(f"https://127.0.0.1:{server.port}", transport)).status == 200
    assert server.names == [None], "an address is no server name (RFC 6066, section 3)"


async def test_the_system_does_not_trust_our_authority(pair: Pair) -> None:
    async with serving(Server(pair)) as server:
        with pytest.raises(HandshakeFailed) as caught:
            await ask(f"https://localhost:{server.port}", {})
    assert caught.value.status == 502
    assert caught.value.retry == "always"
    assert f"the server localhost:{server.port} is not trusted" in str(caught.value)
    assert "rootCAs" in str(caught.value)


async def test_verification_can_be_switched_off(pair: Pair) -> None:
    async with serving(Server(pair)) as server:
        transport = {"insecureSkipVerify": True}
        assert (await ask(f"https://localhost:{server.port}", transport)).status == 200


async def test_a_wrong_name_is_refused(authority: Authority) -> None:
    async with serving(Server(authority.issue("other.test"))) as server:
        transport = {"rootCAs": [str(authority.certificate)]}
        with pytest.raises(HandshakeFailed, match="serverName"):
            await ask(f"https://localhost:{server.port}", transport)


async def test_a_common_name_is_not_enough(authority: Authority, tmp_path: Path) -> None:
    only_common_name = authority.issue(uris=("https://x/",))
    async with serving(Server(only_common_name)) as server:
        transport = {"rootCAs": [str(authority.certificate)], "serverName": "nobody"}
        with pytest.raises(HandshakeFailed, match="mismatch"):
            await ask(f"https://localhost:{server.port}", transport)


async def test_server_name_is_sent_and_verified(authority: Authority, pair: Pair) -> None:
    async with serving(Server(pair)) as server:
        transport = {"rootCAs": [str(authority.certificate)], "serverName": "inside.test"}
        assert (await ask(f"https://127.0.0.1:{server.port}", transport)).status == 200
    assert server.names == ["inside.test"]


async def test_an_expired_certificate(authority: Authority) -> None:
    expired = authority.issue("localhost", lasts=timedelta(days=-1))
    async with serving(Server(expired)) as server:
        transport = {"rootCAs": [str(authority.certificate)]}
        with pytest.raises(HandshakeFailed, match="expired; renew"):
            await ask(f"https://localhost:{server.port}", transport)


async def test_a_client_certificate_is_presented(authority: Authority, pair: Pair) -> None:
    mine = authority.issue("me.test")
    async with serving(Server(pair, authority.certificate)) as server:
        transport = {
            "rootCAs": [str(authority.certificate)],
            "certificates": [{"certFile": str(mine.certificate), "keyFile": mine.key.read_text()}],
        }
        assert (await ask(f"https://localhost:{server.port}", transport)).status == 200
    assert ("DNS", "me.test") in server.clients[0]["subjectAltName"]


@pytest.mark.parametrize("insecure", [False, True])
async def test_peer_uri(authority: Authority, pair: Pair, *, insecure: bool) -> None:
    transport = {
        "rootCAs": [str(authority.certificate)],
        "peerCertURI": "spiffe://A/b",
        "insecureSkipVerify": insecure,
    }
    async with serving(Server(pair)) as server:
        url = f"https://localhost:{server.port}"
        assert (await ask(url, transport)).status == 200
        with pytest.raises(HandshakeFailed, match="peerCertURI"):
            await ask(url, {**transport, "peerCertURI": "spiffe://a/c"})


async def test_peer_uri_does_not_trust_every_authority(pair: Pair, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger")
    transport = {
        "rootCAs": [str(stranger.certificate)],
        "peerCertURI": "spiffe://a/b",
        "insecureSkipVerify": True,
    }
    async with serving(Server(pair)) as server:
        with pytest.raises(HandshakeFailed, match="not trusted"):
            await ask(f"https://localhost:{server.port}", transport)


@pytest.mark.parametrize(
    ("options", "version", "cipher"),
    [
        ({"maxVersion": "VersionTLS12"}, "TLSv1.2", ""),
        ({"minVersion": "VersionTLS13"}, "TLSv1.3", ""),
        (
            {
                "maxVersion": "VersionTLS12",
                "cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
            },
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
    ],
)
async def test_versions_and_suites(
    authority: Authority, pair: Pair, options: dict[str, Any], version: str, cipher: str
) -> None:
    async with serving(Server(pair)) as server:
        transport = {"rootCAs": [str(authority.certificate)], **options}
        assert (await ask(f"https://localhost:{server.port}", transport)).status == 200
    assert server.versions == [version]
    assert not cipher or server.ciphers == [cipher]


def test_old_versions_are_possible() -> None:
    tls = client_tls({"minVersion": "VersionTLS10", "maxVersion": "VersionTLS11"})
    assert tls.context.maximum_version is ssl.TLSVersion.TLSv1_1


async def test_a_server_without_tls() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with upstream(serve) as port:
        with pytest.raises(HandshakeFailed, match=r"speaks no TLS.*http://"):
            await ask(f"https://127.0.0.1:{port}", {})


async def test_a_handshake_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(connect, "HANDSHAKE_TIMEOUT", 0.05)
    async with upstream(serve) as port:
        with pytest.raises(ConnectTimeout, match=f"the server 127.0.0.1:{port} did not finish"):
            await ask(f"https://127.0.0.1:{port}", {})


def test_equal_options_share_a_context(authority: Authority) -> None:
    text = authority.certificate.read_text()
    assert client_tls({"rootCAs": [text]}) is client_tls({"rootCAs": [str(authority.certificate)]})
    assert client_tls({"rootCAs": [text]}) is not client_tls({})


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        ({"spiffe": {}}, "spiffe is not supported"),
        ({"peerCertSANs": [{"type": "URI", "value": "x"}]}, "peerCertSANs"),
        ({"rootCAs": ["/nowhere/ca.pem"]}, r"rootCAs\[0\]: /nowhere/ca.pem .* No such file"),
        ({"rootCAs": [""]}, r"rootCAs\[0\] is empty"),
        ({"rootCAs": ["-----BEGIN CERTIFICATE-----\nx"]}, r"rootCAs\[0\] holds no readable"),
        ({"rootCAs": ["-----BEGIN é"]}, r"rootCAs\[0\] is no PEM text"),
        ({"rootCAs": ["/nul\0"]}, r"rootCAs\[0\]: "),
        ({"serverName": "\ud800", "rootCAs": ["\ud800"]}, r"rootCAs\[0\]: "),
        ({"certificates": [{"certFile": "/nowhere"}]}, r"certificates\[0\].certFile: /nowhere"),
        ({"cipherSuites": ["TLS_X"]}, 'unknown suite "TLS_X"'),
        ({"minVersion": "1.2"}, 'minVersion: expected one of VersionTLS10.*; got "1.2"'),
        (
            {"minVersion": "VersionTLS13", "maxVersion": "VersionTLS12"},
            "minVersion VersionTLS13 is above maxVersion VersionTLS12",
        ),
    ],
)
def test_bad_options_are_named(transport: dict[str, Any], message: str) -> None:
    with pytest.raises(TransportError, match=message):
        client_tls(transport)


def test_certificate_and_key_must_belong_together(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    pair = {"certFile": str(one.certificate), "keyFile": str(other.key)}
    with pytest.raises(TransportError, match=r"certificates\[0\]: certificate and key"):
        client_tls({"certificates": [pair]})


def test_http2_without_tls_is_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"h2c://.*http://"):
        Target("h2c://127.0.0.1:1", Pools(), "t@file", {})
