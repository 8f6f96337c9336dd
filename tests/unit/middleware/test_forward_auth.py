"""forwardAuth against a real application."""

import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import ConnectFailed
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request, Response
from edgerouter.middleware import auth_cache
from edgerouter.middleware.auth_cache import Cache
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.client_tls import ClientTLS
from edgerouter.middleware.forward_auth import IN_MEMORY, Options, build
from edgerouter.observability import complaints
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools
from tests.support.open_files import open_files
from tests.support.router_process import free_ports
from tests.unit.middleware.bodies import Answers, Pieces, content
from tests.unit.middleware.exchange import Seen, request


class Guard:
    """An authentication server; ``answer`` is what it says next."""

    def __init__(self) -> None:
        self.answer: Callable[[], web.Response] = web.Response
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.origin = ""
        self.app = web.Application()
        self.app.router.add_route("*", "/{rest:.*}", self.handle)
        self.pools = Pools()

    async def handle(self, asked: web.Request) -> web.Response:
        self.asked.append(asked)
        self.bodies.append(await asked.read())
        return self.answer()

    def server(self, url: str, transport: Mapping[str, Any]) -> Handler:
        return Target(url, self.pools, f"auth {transport}", transport)

    async def ask(
        self,
        sent: Request,
        address: str = "/check?a=b",
        handler: Handler | None = None,
        **options: Any,
    ) -> tuple[Response, Seen]:
        seen = Seen()
        made = Options(address=f"{self.origin}{address}", **options)
        context = BuildContext("auth@file", server=self.server)
        return await build(made, context)(handler or seen)(sent), seen


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    made = Guard()
    runner = web.AppRunner(made.app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.pools.keep_only(set())
    await runner.cleanup()


def told(guard: Guard) -> dict[str, str]:
    headers = guard.asked[-1].headers
    assert len(headers) == len(set(headers)), "a header is told twice"
    return {name.lower(): value for name, value in headers.items()}


FORWARDED = (
    (b"X-Forwarded-For", b"198.51.100.7"),
    (b"X-Forwarded-Proto", b"wss"),
    (b"X-Forwarded-Host", b"other.example.com"),
    (b"X-Forwarded-Uri", b"/other"),
    (b"X-Forwarded-Method", b"PUT"),
    (b"X-Forwarded-Port", b"444"),
    (b"Cookie", b"a=b"),
    (b"TE", b"trailers"),
)


async def test_what_it_is_told(guard: Guard) -> None:
    sent = request("/x%20y", query="q=1", method="POST", headers=FORWARDED)
    response, seen = await guard.ask(sent)
    assert response.status == 200
    assert seen.request is not None
    assert guard.asked[0].method == "GET"
    assert guard.asked[0].path_qs == "/check?a=b"
    expected = {
        "host": guard.origin.removeprefix("http://"),
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "example.com",
        "x-forwarded-uri": "/x%20y?q=1",
        "x-forwarded-method": "POST",
        "x-forwarded-port": "444",
        "cookie": "a=b",
    }
    assert told(guard) == expected
    await guard.ask(sent, trust_forward_header=False)
    assert told(guard) == {**expected, "x-forwarded-port": "80"}
    await guard.ask(sent, trust_forward_header=True)
    assert told(guard) == {
        **expected,
        "x-forwarded-for": "198.51.100.7, 192.0.2.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "other.example.com",
        "x-forwarded-uri": "/other",
        "x-forwarded-method": "PUT",
    }


async def test_only_some_headers_are_told(guard: Guard) -> None:
    sent = request("/", headers=[*FORWARDED, (b"Accept", b"*/*")])
    await guard.ask(sent, auth_request_headers=("Accept",))
    assert set(told(guard)) - {"host"} == {
        "accept",
        *(f"x-forwarded-{name}" for name in ("for", "proto", "host", "uri", "method")),
    }
    await guard.ask(sent, auth_request_headers=("Accept",), trust_forward_header=True)
    assert told(guard)["x-forwarded-port"] == "444"
    assert "cookie" not in told(guard)


async def test_headers_of_its_answer_reach_the_server(guard: Guard) -> None:
    guard.answer = lambda: web.Response(
        headers={"X-Auth-User": "bob", "X-Auth-Group": "a", "X-No": "n"}
    )
    forged = [(b"x-auth-user", b"root"), (b"X-Auth-Evil", b"1"), (b"X-Kept", b"1")]
    sent = request("/", headers=forged)
    _, seen = await guard.ask(
        sent, auth_response_headers=("X-Auth-User",), header_field="X-Auth-User"
    )
    assert seen.request is not None
    assert seen.request.headers == [forged[1], forged[2], (b"X-Auth-User", b"bob")]
    assert sent.exchange.user == "bob"
    _, seen = await guard.ask(sent, auth_response_headers_regex="^X-Auth-")
    assert seen.request is not None
    assert dict(seen.request.headers) == {
        b"X-Kept": b"1",
        b"X-Auth-User": b"bob",
        b"X-Auth-Group": b"a",
    }
    _, seen = await guard.ask(sent, auth_response_headers_regex=".")
    assert seen.request is not None
    assert not seen.request.headers.has(b"content-length")


@pytest.mark.parametrize("name", [b"X_Auth_User", b"x-auth_user", b"X.Auth.User", b"X-AUTH-USER"])
@pytest.mark.parametrize(
    "options",
    [
        {"auth_response_headers": ("X-Auth-User",)},
        {"auth_response_headers_regex": "^X-Auth-"},
        {"auth_response_headers": ("X_Auth_User",)},
    ],
)
async def test_no_client_can_say_who_it_is(
    guard: Guard, name: bytes, options: dict[str, Any]
) -> None:
    """CGI and WSGI applications know ``HTTP_X_AUTH_USER`` only, however it was written."""
    _, seen = await guard.ask(request(headers=[(name, b"admin")]), **options)
    assert seen.request is not None
    assert not seen.request.headers.has(name.lower())


@pytest.mark.parametrize("address", ["/login", "login"])
async def test_a_sign_in_stays_on_the_host(guard: Guard, address: str) -> None:
    guard.answer = lambda: web.Response(status=401)
    asked = request("//evil.test/x")
    response, _ = await guard.ask(asked, auth_signin_url=address)
    location = response.headers.first(b"location") or b""
    assert location.startswith(b"/")
    assert not location.startswith(b"//")


async def test_its_refusal_is_the_answer(guard: Guard) -> None:
    guard.answer = lambda: web.Response(status=403, text="no", headers={"X-Why": "because"})
    response, seen = await guard.ask(request("/"))
    assert (response.status, response.body.ready()) == (403, b"no")
    assert response.headers.first(b"x-why") == b"because"
    assert seen.request is None


@pytest.mark.parametrize(("keeps", "expected"), [(False, "{origin}/login"), (True, "/login")])
async def test_redirections(guard: Guard, keeps: bool, expected: str) -> None:
    guard.answer = lambda: web.Response(status=302, headers={"Location": "/login"})
    response, _ = await guard.ask(request("/"), preserve_location_header=keeps)
    assert response.status == 302
    assert response.headers.first(b"location") == expected.format(origin=guard.origin).encode()


async def test_sign_in(guard: Guard) -> None:
    guard.answer = lambda: web.Response(status=401)
    response, _ = await guard.ask(request("/"), auth_signin_url="https://login.test/?a&b")
    assert response.status == 302
    assert response.headers.first(b"location") == b"https://login.test/?a&b"


async def test_cookies_of_its_answer_reach_the_client(guard: Guard) -> None:
    def grant() -> web.Response:
        answer = web.Response()
        answer.set_cookie("session", "new")
        answer.set_cookie("other", "x")
        return answer

    guard.answer = grant

    async def server(_: Request) -> Response:
        cookies = [(b"Set-Cookie", b"session=old; Path=/"), (b"Set-Cookie", b"theme=dark")]
        return Response(200, Headers(cookies))

    response, _ = await guard.ask(
        request("/"), handler=server, add_auth_cookies_to_response=("session",)
    )
    assert response.headers.all(b"set-cookie") == [b"theme=dark", b"session=new; Path=/"]


async def test_the_log_tells_of_a_server_that_fails(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(complaints, "_said", {})
    (closed,) = free_ports(1)
    options = Options(address=f"http://u:secret@127.0.0.1:{closed}/check")
    handler = build(options, BuildContext("auth@file", server=guard.server))(Seen())
    for _ in range(3):
        assert (await handler(request("/"))).status == 500
    (record,) = caplog.records
    assert record.message == "The server of a middleware failed"
    told = record.fields  # type: ignore[attr-defined]
    assert told["middlewareName"] == "auth@file"
    assert told["serverURL"] == f"http://127.0.0.1:{closed}/check"
    assert "no connection to the server" in told["reason"]


async def test_cookies_reach_the_client_though_no_server_answers(guard: Guard) -> None:
    def grant() -> web.Response:
        answer = web.Response()
        answer.set_cookie("session", "new")
        return answer

    guard.answer = grant

    async def server(_: Request) -> Response:
        raise ConnectFailed("nobody listens")

    with pytest.raises(ConnectFailed) as failure:
        await guard.ask(request("/"), handler=server, add_auth_cookies_to_response=("session",))
    assert failure.value.amend is not None
    assert failure.value.amend(Headers()) == [(b"Set-Cookie", b"session=new; Path=/")]


@pytest.mark.parametrize(
    ("signin", "location"),
    [("login?é", b"/caf\xc3\xa9/\xff/login?\xc3\xa9"), ("http://[x", b"http://[x")],
)
async def test_a_sign_in_beside_any_path(guard: Guard, signin: str, location: bytes) -> None:
    guard.answer = lambda: web.Response(status=401)
    asked = request("/caf\udcc3\udca9/\udcff/x")
    response, _ = await guard.ask(asked, auth_signin_url=signin)
    assert (response.status, response.headers.first(b"location")) == (302, location)


async def test_a_location_that_is_no_url_stays(guard: Guard) -> None:
    guard.answer = lambda: web.Response(status=302, headers={"Location": "http://[x"})
    response, _ = await guard.ask(request("/"))
    assert (response.status, response.headers.first(b"location")) == (302, b"http://[x")


def test_names_without_effect_are_told() -> None:
    doubts: list[str] = []
    options = Options(address="http://x", auth_response_headers=("X-User", "Connection", "host"))
    build(options, BuildContext("auth@file", warn=doubts.append))
    assert doubts == [
        "authResponseHeaders: Connection has no effect, for the router itself sets it",
        "authResponseHeaders: host has no effect, for the router itself sets it",
    ]


async def test_the_body_is_told_and_still_there(guard: Guard) -> None:
    sent = request("/", method="POST").evolve(body=FixedBody(b"hello"))
    server = Answers(200)
    await guard.ask(sent, handler=server, forward_body=True, preserve_request_method=True)
    assert guard.asked[0].method == "POST"
    assert guard.bodies == [b"hello"]
    assert server.bodies == [b"hello"]


async def test_limits(guard: Guard) -> None:
    sent = request("/", method="POST").evolve(body=FixedBody(b"hello"))
    response, _ = await guard.ask(sent, forward_body=True, max_body_size=4)
    assert response.status == 401
    assert guard.asked == []
    guard.answer = lambda: web.Response(text="hello")
    response, seen = await guard.ask(request("/"), max_response_body_size=4)
    assert response.status == 401
    assert seen.request is None
    response, seen = await guard.ask(request("/"), max_response_body_size=5)
    assert seen.request is not None


async def test_a_server_that_is_away(guard: Guard) -> None:
    guard.origin = "http://127.0.0.1:9"
    sent = request("/")
    response, seen = await guard.ask(sent)
    assert (response.status, response.body.ready()) == (500, b"")
    assert "forwardAuth: http://127.0.0.1:9" in sent.exchange.error
    assert seen.request is None


async def test_a_peer_without_appending_is_still_told(guard: Guard) -> None:
    sent = request("/")
    sent.peer = Peer("2001:db8::1", 1, "web")
    sent.peer.appends_forwarded_for = False
    await guard.ask(sent, trust_forward_header=False)
    assert told(guard)["x-forwarded-for"] == "2001:db8::1"


@pytest.mark.parametrize(("told_of", "expected"), [((), "Basic x"), (("Cookie",), None)])
async def test_proxy_authorization_is_for_the_authentication_server(
    guard: Guard, told_of: tuple[str, ...], expected: str | None
) -> None:
    sent = request("/")
    sent.exchange.proxy_authorization = b"Basic x"
    _, seen = await guard.ask(sent, auth_request_headers=told_of)
    assert guard.asked[-1].headers.get("Proxy-Authorization") == expected
    assert seen.request is not None
    assert not seen.request.headers.has(b"proxy-authorization")


async def test_an_answer_is_remembered_by_proxy_authorization(guard: Guard) -> None:
    options = Options(
        address=f"{guard.origin}/check",
        auth_request_headers=("Proxy-Authorization",),
        cache=Cache(60.0),
    )
    handler = build(options, BuildContext("auth@file", server=guard.server))(Seen())
    for value in (b"Basic x", b"Basic y", b"Basic x"):
        sent = request("/")
        sent.exchange.proxy_authorization = value
        assert (await handler(sent)).status == 200
    assert len(guard.asked) == 2


class Remembering:
    """A middleware with a cache, and whom it lets pass."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        self._guard = guard
        self._cache = Cache(**{"ttl": 60.0, **options})
        self._handler: Handler | None = None
        self.seen = Seen()

    async def status(self, path: str = "/", client: str = "192.0.2.1", **fields: str) -> int:
        if self._handler is None:
            options = Options(
                address=f"{self._guard.origin}/check",
                auth_request_headers=("Cookie", "X-Tenant"),
                auth_response_headers=("X-User",),
                header_field="X-User",
                cache=self._cache,
            )
            context = BuildContext("auth@file", server=self._guard.server)
            self._handler = build(options, context)(self.seen)
        pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in fields.items()]
        sent = request(path, headers=pairs)
        sent.peer = Peer(client, 1, "web")
        response = await self._handler(sent)
        assert response.status != 200 or sent.exchange.user == "bob"
        return response.status


def letting_in() -> web.Response:
    return web.Response(headers={"X-User": "bob"})


async def test_an_answer_is_remembered_by_what_the_server_is_told(guard: Guard) -> None:
    guard.answer = letting_in
    known = Remembering(guard, cookies=("session",))
    for fields in (
        {"Cookie": "session=1; a=b"},
        {"Cookie": "c=d;session=1"},
        {"Cookie": "session=1"},
    ):
        assert await known.status(X_User="mallory", Accept=str(fields), **fields) == 200
        assert known.seen.request is not None
        assert known.seen.request.headers.all(b"x-user") == [b"bob"]
    assert len(guard.asked) == 1
    for number, different in enumerate(
        [
            {"Cookie": "session=2"},
            {"Cookie": "session=1; session=2"},
            {},
            {"Cookie": "session=1", "X-Tenant": "a"},
            {"Cookie": "session=1", "X-Forwarded-For": "203.0.113.9"},
            {"Cookie": "session=1", "path": "/other"},
            {"Cookie": "session=1", "client": "192.0.2.2"},
        ]
    ):
        assert await known.status(**different) == 200
        assert await known.status(**different) == 200
        assert len(guard.asked) == number + 2, different


async def test_an_answer_may_hold_for_the_whole_host(guard: Guard) -> None:
    guard.answer = letting_in
    known = Remembering(guard, per_path=False)
    assert [await known.status(path) for path in ("/", "/a", "/b")] == [200] * 3
    assert len(guard.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=401),
        lambda: web.Response(headers={"X-User": "bob", "Set-Cookie": "session=new"}),
    ],
)
async def test_neither_refusals_nor_cookies_are_remembered(
    guard: Guard, answer: Callable[[], web.Response]
) -> None:
    guard.answer = answer
    known = Remembering(guard)
    for _ in range(2):
        await known.status()
    assert len(guard.asked) == 2


async def test_what_is_remembered_ends(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.answer = letting_in
    known = Remembering(guard, ttl=30.0)
    now = 1000.0
    monkeypatch.setattr(auth_cache, "monotonic", lambda: now)
    assert await known.status() == 200
    guard.answer = lambda: web.Response(status=401)
    now += 29.9
    assert await known.status() == 200
    now += 0.2
    assert await known.status() == 401


async def test_what_is_remembered_is_bounded(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_cache, "MEMORY", 2)
    guard.answer = letting_in
    known = Remembering(guard)
    for path in ("/1", "/2", "/3", "/3", "/2", "/1"):
        await known.status(path)
    assert len(guard.asked) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "address"),
        (Options(address="http://x", cache=Cache()), "cache.ttl: 0s"),
        (Options(address="http://x", cache=Cache(ttl=1.0)), "needs authRequestHeaders"),
        (
            Options(
                address="http://x",
                auth_request_headers=("Cookie",),
                forward_body=True,
                cache=Cache(ttl=1.0),
            ),
            "cache and forwardBody",
        ),
        (Options(address="ftp://x"), "address: 'ftp://x'"),
        (Options(address="auth.test"), "address: 'auth.test' is not http://host"),
        (Options(address="http://bob:geheim@"), "address: 'http://' is not http://host"),
        (Options(address="http://x:99999"), "address: 'http://x:99999' is no URL"),
        (Options(address="http://x:0"), "address: 'http://x:0' is not"),
        (Options(address="http://[x"), r"address: 'http://\[x' is no URL"),
        (Options(address="http://x/\r\nY: z"), "address: .* holds characters"),
        (Options(address="http://bücher.test"), "address: .* write xn-- names"),
        (Options(address="http://x/%zz"), 'address: "%zz" is not an escape'),
        (Options(address="http://x", tls=ClientTLS(cert="c")), "tls: cert and key belong together"),
        (Options(address="http://x", auth_response_headers_regex="("), "authResponseHeadersRegex"),
        (Options(address="http://x", auth_response_headers=("a b",)), "authResponseHeaders"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(options, BuildContext("auth@file"))


async def test_an_address_that_is_none_fails_every_request_in_traefik() -> None:
    doubts: list[str] = []
    context = BuildContext("auth@file", as_traefik=True, warn=doubts.append)
    sent = request()
    response = await build(Options(address="ftp://bob:geheim@x"), context)(Seen())(sent)
    assert (response.status, response.body.length) == (500, 0)
    assert doubts == ["address: 'ftp://x' is not http://host or https://host"]
    assert sent.exchange.error == f"forwardAuth: {doubts[0]}"


def self_signed(directory: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guard")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / "guard.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


async def test_over_tls(guard: Guard, tmp_path: Path) -> None:
    path, context = self_signed(tmp_path)
    runner = web.AppRunner(guard.app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    guard.origin = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        statuses = {
            name: (await guard.ask(request("/"), tls=tls))[0].status
            for name, tls in {
                "trusted": ClientTLS(ca=str(path)),
                "text": ClientTLS(ca=path.read_text().partition("-----BEGIN PRIV")[0]),
                "unverified": ClientTLS(insecure_skip_verify=True),
                "unknown": ClientTLS(),
                "none": None,
            }.items()
        }
    finally:
        guard.pools.keep_only(set())
        await runner.cleanup()
    assert statuses == {
        "trusted": 200,
        "text": 200,
        "unverified": 200,
        "unknown": 500,
        "none": 500,
    }


async def test_large_bodies_go_through_the_disk_and_leave_nothing(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    guard.app._client_max_size = 16 * IN_MEMORY
    body = os.urandom(IN_MEMORY) * 3
    received = []

    async def server(asked: Request) -> Response:
        received.append(await content(asked.body))
        return Response(200, Headers())

    sent = request(method="POST").evolve(body=Pieces(body[:100], body[100:]))
    response, _ = await guard.ask(sent, forward_body=True, handler=server)
    assert response.status == 200
    assert guard.bodies[-1] == body
    assert received[-1] == body
    assert open_files(tmp_path) == []
    guard.answer = lambda: web.Response(status=403, body=body)
    sent = request(method="POST").evolve(body=Pieces(body))
    response, _ = await guard.ask(sent, forward_body=True, handler=server)
    assert not isinstance(response.body, FixedBody)
    assert await content(response.body) == body
    response.close()
    assert open_files(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
