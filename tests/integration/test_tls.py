"""TLS with clients: who answers, with what, and what is refused how."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.http.tls import TlsFacts
from edgerouter.proxy.downstream.accept import _client_certificates
from tests.support.data_plane import read_head, until, upstream
from tests.support.needed import needed
from tests.support.tls import (
    Pair,
    TlsPlane,
    client_context,
    hello,
    make_pair,
    raw,
    tls_plane,
    visit,
    with_certificate,
)

A = make_pair("a.test")
WILD = make_pair("*.w.test")
OTHER = make_pair("other.test")
DEFAULT = make_pair("default.test")
CLIENT_CA = make_pair("client authority", ca=True)
CLIENT = make_pair("client", issuer=CLIENT_CA)
STRANGER = make_pair("stranger")

UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"
NO_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"


# Certificates


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("a.test", A),
        ("A.TEST", A),
        ("x.w.test", WILD),
        ("w.test", DEFAULT),
        ("x.y.w.test", DEFAULT),
        ("unknown.test", DEFAULT),
        (None, DEFAULT),
    ],
)
async def test_the_certificate_is_chosen_by_name(name: str | None, pair: Pair) -> None:
    async with tls_plane() as plane:
        assert not plane.apply({"a.test": ""}, A, WILD, default=DEFAULT)
        assert (await visit(plane.port, name, host="a.test")).serial == pair.serial


@pytest.mark.parametrize("dual_stack", [False, True])
async def test_without_a_name_the_address_chooses(dual_stack: bool) -> None:
    local = make_pair("127.0.0.1")
    async with tls_plane(dual_stack=dual_stack) as plane:
        plane.apply({}, A, local, default=DEFAULT)
        assert (await visit(plane.port, None, host="x")).serial == local.serial


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n", "192.0.2.8"),
        (b"PROXY TCP6 2001:db8::7 2001:db8:0::8 4711 443\r\n", "2001:db8::8"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 4711 443\r\n", "192.0.2.8"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ],
)
async def test_without_a_name_the_address_that_the_proxy_tells_chooses(
    header: bytes, name: str
) -> None:
    reached, local = make_pair(name), make_pair("127.0.0.1")
    async with tls_plane({"proxyProtocol": {"insecure": True}}) as plane:
        plane.apply({}, A, reached, local, default=DEFAULT)
        assert (await visit(plane.port, None, host="x", before=header)).serial == reached.serial


async def test_of_two_certificates_for_a_name_the_first_counts() -> None:
    second = make_pair("a.test", "b.test")
    async with tls_plane() as plane:
        plane.apply({}, A, second, default=DEFAULT)
        assert (await visit(plane.port, "a.test")).serial == A.serial
        assert (await visit(plane.port, "b.test")).serial == second.serial


async def test_without_any_certificate_handshakes_fail_and_plain_requests_do_not() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": None})
        with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            await visit(plane.port, "a.test")
        assert b"200 OK" in await raw(plane.port, plain("a.test"))


async def test_a_certificate_that_openssl_refuses_stops_nobody_else() -> None:
    broken = {"names": ["broken.test"], "certificate": A.pem, "key": OTHER.key_pem, "origin": "x"}
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, certificates=[broken, A.served()], default=None)
        with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            await visit(plane.port, "broken.test")
        assert b"200 OK" in (await visit(plane.port, "a.test")).answer


async def test_a_new_certificate_is_for_new_connections_and_old_ones_live_on() -> None:
    new = make_pair("a.test")
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, default=DEFAULT)
        context = client_context()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", plane.port, ssl=context, server_hostname="a.test"
        )
        plane.apply({"a.test": ""}, new, default=DEFAULT)
        assert (await visit(plane.port, "a.test")).serial == new.serial
        writer.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_an_equal_snapshot_makes_no_new_contexts() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, default=DEFAULT)
        await visit(plane.port, "a.test")
        contexts = dict(plane.entrypoint.tls._certificates.contexts._contexts)
        plane.apply({"a.test": "", "b.test": ""}, A, OTHER, default=DEFAULT)
        assert plane.entrypoint.tls._certificates.contexts._contexts == contexts
        assert len(contexts) == 1
        plane.apply({"a.test": ""}, OTHER, default=DEFAULT)
        assert plane.entrypoint.tls._certificates.contexts._contexts == {}


# Plain and TLS


def plain(host: str, path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def test_plain_and_tls_on_one_entry_point_have_routers_of_their_own() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": "", "b.test": None}, A, default=DEFAULT)
        assert b" 404 " in await raw(plane.port, plain("a.test"))
        assert b" 200 " in await raw(plane.port, plain("b.test"))
        assert b" 200 " in (await visit(plane.port, "a.test")).answer
        assert b" 404 " in (await visit(plane.port, "b.test")).answer


async def test_tls_behind_the_proxy_protocol() -> None:
    seen: list[Any] = []
    async with tls_plane({"proxyProtocol": {"trustedIPs": ["127.0.0.1"]}}) as plane:
        plane.apply({"a.test": "", "b.test": None}, A, default=DEFAULT)
        plane.entrypoint.finished = lambda request, _: seen.append(request.peer)
        header = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n"
        assert b" 200 " in (await visit(plane.port, "a.test", before=header)).answer
        assert b" 200 " in await raw(plane.port, header + plain("b.test"))
        assert [(peer.ip, peer.port, peer.tls is not None) for peer in seen] == [
            ("192.0.2.7", 4711, True),
            ("192.0.2.7", 4711, False),
        ]


async def test_a_hello_may_come_in_any_pieces() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, default=DEFAULT)
        data = hello()
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        for position in range(len(data)):
            writer.write(data[position : position + 1])
            await asyncio.sleep(0)
        assert (await reader.readexactly(3))[:1] == b"\x16"  # A ServerHello.
        writer.close()


async def test_a_hello_may_be_split_over_records() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, default=DEFAULT)
        head, body = hello()[:3], hello()[5:]
        pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
        data = b"".join(head + len(piece).to_bytes(2, "big") + piece for piece in pieces)
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        writer.write(data)
        assert (await reader.readexactly(3))[:1] == b"\x16"
        writer.close()


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (b"\x16\x03\x01\x00\x05hello", 10),
        (b"\x16\x03\x01\xff\xff", 22),
        (b"\x16\x03\x01\x00\x00", 22),
        (b"\x16GET / HTTP/1.1\r\n\r\n", 10),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 50),
        (b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 50),
    ],
)
async def test_garbage_gets_an_alert(data: bytes, alert: int) -> None:
    async with tls_plane() as plane:
        plane.apply({}, A, default=DEFAULT)
        assert await raw(plane.port, data) == bytes((21, 3, 3, 0, 2, 2, alert))
        await until(lambda: not plane.connections)


async def test_half_open_handshakes_do_no_harm_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.proxy.downstream.accept.MAX_HANDSHAKE", 1.5)
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, default=DEFAULT)
        data = hello()
        sockets = [socket.create_connection(("127.0.0.1", plane.port)) for _ in range(500)]
        for index, each in enumerate(sockets):  # Half of them stop in the hello, half behind it.
            each.sendall(data[:50] if index % 2 else data)
        await until(lambda: len(plane.connections) == 500)
        assert b" 200 " in (await visit(plane.port, "a.test")).answer
        await until(lambda: not plane.connections)
        for each in sockets:
            each.close()


# HTTP over TLS


@asynccontextmanager
async def over_tls(
    plane: TlsPlane,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", plane.port, ssl=client_context(), server_hostname="a.test"
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_websockets_over_tls() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_head(reader))
        writer.write(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"the end")

    async with upstream(serve) as port, tls_plane() as plane:
        plane.apply({"a.test": ""}, A, server=port)
        async with over_tls(plane) as (reader, writer):
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert b" 101 " in await read_head(reader)
            size = 2_000_000
            writer.write(b"x" * size)
            assert await reader.readexactly(size) == b"X" * size
    assert b"x-forwarded-proto: wss" in seen[0].lower()


async def test_large_bodies_over_tls() -> None:
    size = 5_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        body = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(body)
        await writer.drain()
        await reader.read()

    async with upstream(serve) as port, tls_plane() as plane:
        plane.apply({"a.test": ""}, A, server=port)
        async with over_tls(plane) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
            writer.write(b"y" * size)
            assert b" 200 " in await read_head(reader)
            assert await reader.readexactly(size) == b"y" * size


async def test_a_refusal_can_be_read_though_the_client_still_sends() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A)
        async with over_tls(plane) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")
            writer.write(bytes(300_000))
            assert b" 400 " in await read_head(reader)
            async with asyncio.timeout(5):
                await reader.read()  # To the end, which is not broken off.


# Options


@pytest.mark.parametrize(
    ("options", "client", "version"),
    [
        ({}, {}, "TLSv1.3"),
        ({}, {"maximum_version": ssl.TLSVersion.TLSv1_2}, "TLSv1.2"),
        ({"maxVersion": "VersionTLS12"}, {}, "TLSv1.2"),
        ({"minVersion": "VersionTLS13"}, {}, "TLSv1.3"),
    ],
)
async def test_versions(options: dict[str, Any], client: dict[str, Any], version: str) -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": options})
        seen = await visit(plane.port, "a.test", context=client_context(**client))
        assert seen.version == version


@pytest.mark.parametrize(
    ("options", "highest"),
    [
        ({}, ssl.TLSVersion.TLSv1_1),
        ({"minVersion": "VersionTLS13"}, ssl.TLSVersion.TLSv1_2),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_old_versions_are_refused_with_an_alert(
    options: dict[str, Any], highest: ssl.TLSVersion
) -> None:
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = highest
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": options})
        with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
            await visit(plane.port, "a.test", context=context)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_old_versions_can_be_allowed() -> None:
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": {"minVersion": "VersionTLS10"}})
        assert (await visit(plane.port, "a.test", context=context)).version == "TLSv1"


async def test_cipher_suites_by_the_names_of_go() -> None:
    suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"]
    old = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": {"cipherSuites": suites}})
        seen = await visit(plane.port, "a.test", context=old)
        assert seen.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"
        old.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            await visit(plane.port, "a.test", context=old)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "AES128-SHA", "ADH-AES128-SHA256"])
async def test_weak_suites_are_not_spoken_by_default(suite: str) -> None:
    context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A)
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            await visit(plane.port, "a.test", context=context)


async def test_curves() -> None:
    context = client_context()
    context.set_ecdh_curve("prime256v1")
    async with tls_plane() as plane:
        options = {"default": {"curvePreferences": ["X25519", "CurveP384"]}}
        plane.apply({"a.test": ""}, A, options=options)
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            await visit(plane.port, "a.test", context=context)
        context.set_ecdh_curve("secp384r1")
        assert b" 200 " in (await visit(plane.port, "a.test", context=context)).answer


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((), None), (("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "http/1.1")],
)
async def test_alpn(offered: tuple[str, ...], chosen: str | None) -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A)
        assert (await visit(plane.port, "a.test", protocols=offered)).protocol == chosen


async def test_a_client_that_speaks_nothing_of_ours_is_told_so() -> None:
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A)
        assert await raw(plane.port, hello(protocols=["h2"])) == NO_PROTOCOL


async def test_sni_strict() -> None:
    async with tls_plane() as plane:
        options = {"strict@file": {"sniStrict": True}}
        hosts = {"a.test": "strict@file", "b.test": "strict@file", "c.test": ""}
        plane.apply(hosts, A, default=DEFAULT, options=options)
        assert (await visit(plane.port, "a.test")).serial == A.serial
        assert await raw(plane.port, hello("b.test")) == UNRECOGNIZED_NAME
        assert (await visit(plane.port, "c.test")).serial == DEFAULT.serial


async def test_options_that_do_not_exist_or_cannot_be_used_refuse_handshakes() -> None:
    async with tls_plane() as plane:
        options = {"bad@file": {"cipherSuites": ["ROT13"]}}
        errors = plane.apply({"a.test": "gone@file", "b.test": "bad@file"}, A, options=options)
        assert list(errors) == ["tls/options/bad@file"]
        assert await raw(plane.port, hello("a.test")) == HANDSHAKE_FAILURE
        assert await raw(plane.port, hello("b.test")) == HANDSHAKE_FAILURE


async def test_host_and_name_with_different_options_are_misdirected() -> None:
    async with tls_plane() as plane:
        options = {"o@file": {}}
        hosts = {"a.test": "", "b.test": "", "o.test": "o@file", "*.w.test": "o@file"}
        plane.apply(hosts, A, default=DEFAULT, options=options)

        async def answer(name: str | None, host: str) -> bytes:
            return (await visit(plane.port, name, host=host)).answer.split(b"\r\n", 1)[0][9:12]

        assert await answer("a.test", "b.test") == b"200"
        assert await answer("o.test", "o.test") == b"200"
        assert await answer("o.test", "x.w.test") == b"200"
        assert await answer("a.test", "o.test") == b"421"
        assert await answer("o.test", "a.test") == b"421"
        assert await answer(None, "x.w.test") == b"421"


async def test_routers_that_disagree_leave_their_host_the_default_options() -> None:
    async with tls_plane() as plane:
        options = {"o@file": {"sniStrict": True}}
        hosts = {"b.test": "o@file", "B.test": ""}
        plane.apply(hosts, default=DEFAULT, options=options)
        assert (await visit(plane.port, "b.test")).serial == DEFAULT.serial
        plane.apply(hosts, default=DEFAULT, options=options, strictOptions=True)
        assert await raw(plane.port, hello("b.test")) == HANDSHAKE_FAILURE


# Clients' certificates


@pytest.mark.parametrize(
    ("kind", "nothing", "stranger", "own"),
    [
        ("NoClientCert", 0, 0, 0),
        ("RequestClientCert", 0, 1, 2),
        ("RequireAnyClientCert", None, 1, 2),
        ("VerifyClientCertIfGiven", 0, None, 2),
        ("RequireAndVerifyClientCert", None, None, 2),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_client_certificates(
    kind: str, nothing: int | None, stranger: int | None, own: int, version: ssl.TLSVersion
) -> None:
    """The numbers are how many certificates of the client are known; None: it is refused."""
    seen: list[TlsFacts] = []
    chains: list[tuple[Pair, ...]] = [(), (STRANGER,), (CLIENT, CLIENT_CA)]
    async with tls_plane() as plane:
        auth = {"clientAuthType": kind, "authorities": CLIENT_CA.pem}
        plane.apply({"a.test": ""}, A, options={"default": {"clientAuth": auth}})
        plane.entrypoint.finished = lambda request, _: seen.append(request.peer.tls)
        for chain, count in zip(chains, (nothing, stranger, own), strict=True):
            context = client_context(maximum_version=version)
            if chain:
                with_certificate(context, *chain)
            if count is None:
                with pytest.raises(ssl.SSLError, match="ALERT"):
                    await visit(plane.port, "a.test", context=context)
            else:
                assert b" 200 " in (await visit(plane.port, "a.test", context=context)).answer
                assert len(seen.pop().certificates) == count


async def test_the_facts_of_a_connection() -> None:
    seen: list[Any] = []
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A)
        plane.entrypoint.finished = lambda request, _: seen.append(request)
        old = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        old.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
        await visit(plane.port, "A.test", context=old, protocols=["http/1.1"])
        request = seen[0]
        facts = request.peer.tls
        assert request.scheme == "https"
        assert request.headers.first(b"x-forwarded-proto") == b"https"
        assert request.headers.first(b"x-forwarded-port") == b"443"
        assert facts.version == "TLSv1.2"
        assert facts.cipher == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        assert (facts.server_name, facts.protocol) == ("a.test", "http/1.1")


# Another client


async def s_client(port: int, *arguments: str) -> str:
    """Return what ``openssl s_client`` says."""
    process = await asyncio.create_subprocess_exec(
        needed("openssl"),
        "s_client",
        "-connect",
        f"127.0.0.1:{port}",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    return output.decode("utf-8", "replace")


async def test_clients_are_told_whose_certificates_are_accepted() -> None:
    auth = {"clientAuthType": "RequireAndVerifyClientCert", "authorities": CLIENT_CA.pem}
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": {"clientAuth": auth}})
        for version in ("-tls1_2", "-tls1_3"):
            said = await s_client(plane.port, "-servername", "a.test", version)
            names = said.partition("Acceptable client certificate CA names")[2]
            assert "client authority" in names.splitlines()[1]
        plane.apply({"a.test": ""}, A)
        assert "CA names" not in (await s_client(plane.port, "-servername", "a.test")).replace(
            "No client certificate CA names sent", ""
        )


async def test_what_openssl_says() -> None:
    async with tls_plane() as plane:
        options = {"strict@file": {"sniStrict": True}}
        plane.apply({"a.test": "", "b.test": "strict@file"}, A, default=DEFAULT, options=options)
        port = plane.port
        assert "unrecognized name" in await s_client(port, "-servername", "b.test")
        protocol = "no application protocol"
        assert protocol in await s_client(port, "-servername", "a.test", "-alpn", "h2")
        assert "alert protocol version" in await s_client(
            port, "-tls1_1", "-cipher", "ALL@SECLEVEL=0"
        )
        good = await s_client(port, "-servername", "a.test", "-alpn", "h2,http/1.1", "-tls1_2")
        assert "ALPN protocol: http/1.1" in good
        assert "Secure Renegotiation IS supported" in good
        assert "Compression: NONE" in good
        assert "Extended master secret: yes" in good
        again = await s_client(port, "-servername", "a.test", "-tls1_2", "-reconnect")
        assert again.count("Reused, TLSv1.2") == 5


# Sessions


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_go_on_at_another_worker(version: ssl.TLSVersion) -> None:
    keys = {"ticketKey": "11" * 32}
    context = client_context(maximum_version=version)
    async with tls_plane() as one, tls_plane() as two, tls_plane() as stranger:
        for plane in (one, two):
            plane.apply({"a.test": ""}, A, **keys)
        stranger.apply({"a.test": ""}, A, ticketKey="22" * 32)
        first = await visit(one.port, "a.test", context=context)
        assert not first.resumed
        second = await visit(two.port, "a.test", context=context, session=first.session)
        assert second.resumed
        third = await visit(stranger.port, "a.test", context=context, session=second.session)
        assert not third.resumed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_does_not_pass_the_demand_for_a_certificate(
    version: ssl.TLSVersion,
) -> None:
    """A session begun under one set of options must not be resumed under another."""
    context = client_context(maximum_version=version)
    auth = {"clientAuthType": "RequireAnyClientCert"}
    both = make_pair("a.test", "b.test")
    async with tls_plane() as plane:
        options = {"o@file": {"clientAuth": auth}}
        hosts = {"a.test": "", "b.test": "o@file"}
        plane.apply(hosts, both, options=options, ticketKey="11" * 32)
        first = await visit(plane.port, "a.test", context=context)
        with pytest.raises(ssl.SSLError, match="ALERT"):
            await visit(plane.port, "b.test", context=context, session=first.session)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_client_of_a_session_that_goes_on_is_known(version: ssl.TLSVersion) -> None:
    seen: list[TlsFacts] = []
    context = client_context(maximum_version=version)
    with_certificate(context, CLIENT, CLIENT_CA)
    auth = {"clientAuthType": "RequireAndVerifyClientCert", "authorities": CLIENT_CA.pem}
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, options={"default": {"clientAuth": auth}})
        plane.entrypoint.finished = lambda request, _: seen.append(request.peer.tls)
        first = await visit(plane.port, "a.test", context=context)
        second = await visit(plane.port, "a.test", context=context, session=first.session)
    assert (first.resumed, second.resumed) == (False, True)
    whole, resumed = (facts.certificates for facts in seen)
    assert len(whole) == 2
    assert resumed == whole[:1]


class ResumedInPython313:
    """What ``ssl`` says there of a client whose session goes on."""

    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        return b"own"

    def get_unverified_chain(self) -> list[bytes]:
        return []


def test_the_client_of_a_session_that_goes_on_is_known_to_newer_pythons() -> None:
    assert _client_certificates(ResumedInPython313()) == (b"own",)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_session_tickets_can_be_off(version: ssl.TLSVersion) -> None:
    context = client_context(maximum_version=version)
    async with tls_plane() as plane:
        options = {"default": {"disableSessionTickets": True}}
        plane.apply({"a.test": ""}, A, options=options, ticketKey="11" * 32)
        first = await visit(plane.port, "a.test", context=context)
        second = await visit(plane.port, "a.test", context=context, session=first.session)
        assert not second.resumed


# ACME


async def test_challenges_over_tls_are_answered() -> None:
    challenge = make_pair("a.test")
    async with tls_plane() as plane:
        plane.apply({"a.test": ""}, A, acmeTls={"a.test": challenge.served()})
        context = client_context()
        context.set_alpn_protocols(["acme-tls/1"])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", plane.port, ssl=context, server_hostname="a.test"
        )
        tls = writer.get_extra_info("ssl_object")
        assert tls.selected_alpn_protocol() == "acme-tls/1"
        assert tls.getpeercert(True) == ssl.PEM_cert_to_DER_cert(challenge.pem)
        assert await reader.read() == b""  # Nothing is spoken on such a connection.
        writer.close()
        assert (await visit(plane.port, "a.test")).serial == A.serial
        assert await raw(plane.port, hello("b.test", ["acme-tls/1"])) == NO_PROTOCOL


@pytest.mark.parametrize(("by_pass", "status"), [(False, b"200"), (True, b"404")])
async def test_challenges_over_http_come_before_routers(by_pass: bool, status: bytes) -> None:
    path = "/.well-known/acme-challenge/token"
    async with tls_plane({"allowACMEByPass": by_pass}) as plane:
        plane.apply({"a.test": None}, http01={"token": "token.thumbprint"})
        answer = await raw(plane.port, plain("b.test", path))
        assert answer.split()[1] == status
        assert answer.endswith(b"token.thumbprint") != by_pass
        assert b" 404 " in await raw(plane.port, plain("b.test", path + "x"))
        assert b" 200 " in await raw(plane.port, plain("a.test", path + "x"))
        plane.apply({"a.test": None})
        assert b" 404 " in await raw(plane.port, plain("b.test", path))
