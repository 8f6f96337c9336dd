"""headers: the order of its parts and what Traefik's answers do not show."""

import pytest

from edgerouter.http.errors import NoServer
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.headers import Options, build
from tests.unit.middleware.bodies import Answers
from tests.unit.middleware.exchange import Seen, request

CONTEXT = BuildContext("headers@file")


async def answered(options: Options, sent: Request, *headers: tuple[bytes, bytes]) -> Response:
    async def server(_: Request) -> Response:
        return Response(200, Headers(headers))

    return await build(options, CONTEXT)(server)(sent)


async def test_request_headers_are_set_and_deleted() -> None:
    seen = Seen()
    wanted = {"X-New": "1", "X-Old": "", "host": "other.test", "X-Both": "new"}
    sent = request(headers=[(b"x-old", b"1"), (b"X-BOTH", b"a"), (b"x-both", b"b")])
    await build(Options(custom_request_headers=wanted), CONTEXT)(seen)(sent)
    assert seen.request is not None
    assert seen.request.headers == [(b"X-New", b"1"), (b"X-Both", b"new")]
    assert seen.request.authority == "other.test"
    assert sent.authority == "example.com"


async def test_a_host_of_another_script_becomes_ascii() -> None:
    seen = Seen()
    options = Options(custom_request_headers={"Host": "café.test:80"})
    await build(options, CONTEXT)(seen)(request())
    assert seen.request is not None
    assert seen.request.authority == "xn--caf-dma.test:80"


@pytest.mark.parametrize(
    ("name", "appended"), [("X-Forwarded-For", False), ("x-forwarded-for", True)]
)
async def test_deleting_forwarded_for_ends_appending(name: str, appended: bool) -> None:
    seen = Seen()
    sent = request(headers=[(b"X-Forwarded-For", b"198.51.100.1")])
    await build(Options(custom_request_headers={name: ""}), CONTEXT)(seen)(sent)
    assert seen.request is not None
    assert seen.request.headers == []
    assert seen.request.peer.appends_forwarded_for is appended
    assert sent.peer.appends_forwarded_for


def test_only_requests_are_changed_without_a_coroutine_of_its_own() -> None:
    def server(_: Request) -> str:
        return "its own awaitable"

    handler = build(Options(custom_request_headers={"A": "b"}), CONTEXT)(server)  # type: ignore[arg-type]
    assert handler(request()) == "its own awaitable"


async def test_a_custom_header_replaces_a_security_header() -> None:
    options = Options(frame_deny=True, custom_response_headers={"x-frame-options": "SAMEORIGIN"})
    response = await answered(options, request(), (b"X-Frame-Options", b"server"))
    assert response.headers == [(b"x-frame-options", b"SAMEORIGIN")]


async def test_a_refused_host_gets_custom_headers() -> None:
    options = Options(allowed_hosts=("good.test",), custom_response_headers={"X-A": "b"})
    response = await answered(options, request(authority="bad.test"))
    assert (response.status, response.headers.first(b"x-a")) == (500, b"b")
    assert (await answered(options, request(authority="GOOD.test"))).status == 200


async def test_hosts_from_a_header() -> None:
    options = Options(allowed_hosts=("good.test",), hosts_proxy_headers=("X-Host", "X-Other"))
    sent = request(authority="bad.test", headers=[(b"X-Other", b"good.test")])
    assert (await answered(options, sent)).status == 200


async def test_sts_on_tls_only() -> None:
    options = Options(
        sts_seconds=5, sts_preload=True, public_key="p", ssl_proxy_headers={"X-Proto": "https"}
    )
    assert (await answered(options, request())).headers == []
    expected = [
        (b"Strict-Transport-Security", b"max-age=5; preload"),
        (b"Public-Key-Pins", b"p"),
    ]
    assert (await answered(options, request(scheme="https"))).headers == expected
    proxied = request(headers=[(b"X-Proto", b"https")])
    assert (await answered(options, proxied)).headers == expected


async def test_a_nonce_is_fresh() -> None:
    options = Options(content_security_policy="script-src $NONCE")
    first = (await answered(options, request())).headers.first(b"content-security-policy")
    second = (await answered(options, request())).headers.first(b"content-security-policy")
    assert first is not None
    assert first.startswith(b"script-src 'nonce-")
    assert first != second


async def test_the_same_vary_is_not_repeated() -> None:
    options = Options(add_vary_header=True)
    response = await answered(options, request(), (b"Vary", b"Accept"), (b"Vary", b"Origin"))
    assert response.headers.all(b"vary") == [b"Accept", b"Origin"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "no option is set"),
        (Options(custom_request_headers={"a b": "c"}), "customRequestHeaders: 'a b'"),
        (Options(custom_request_headers={"host": "a b"}), "customRequestHeaders.Host: 'a b'"),
        (Options(custom_request_headers={"host": "é..x"}), "customRequestHeaders.Host: 'é..x'"),
        (Options(custom_request_headers={"Host": "http://a"}), "customRequestHeaders.Host"),
        (Options(custom_response_headers={"A": "b\r\nC: d"}), "customResponseHeaders.A"),
        (Options(access_control_allow_origin_list_regex=("(",)), "OriginListRegex"),
        (Options(content_security_policy="a\nb"), "contentSecurityPolicy"),
        (Options(hosts_proxy_headers=("",)), "hostsProxyHeaders"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(options, CONTEXT)


@pytest.mark.parametrize(
    "name",
    ["Connection", "content-length", "TE", "Trailer", "Transfer-Encoding", "UPGRADE", "Expect"],
)
async def test_fields_of_the_connection_are_told_and_not_written(name: str) -> None:
    doubts: list[str] = []
    seen = Seen()
    both = {name: "1", "X-New": "2"}
    options = Options(custom_request_headers=both, custom_response_headers=both)
    handler = build(options, BuildContext("headers@file", warn=doubts.append))(seen)
    response = await handler(request())
    assert seen.request is not None
    assert seen.request.headers == response.headers == [(b"X-New", b"2")]
    assert doubts == [
        f"{option}.{name}: has no effect, for the router itself sets this field; remove it"
        for option in ("customRequestHeaders", "customResponseHeaders")
    ]


def test_fields_of_the_connection_may_be_deleted() -> None:
    doubts: list[str] = []
    options = Options(custom_request_headers={"Connection": ""})
    build(options, BuildContext("headers@file", warn=doubts.append))
    assert doubts == []


async def test_a_switch_of_protocols_gets_the_fields_too() -> None:
    options = Options(custom_response_headers={"X-A": "b"}, frame_deny=True)
    response = await build(options, CONTEXT)(Answers(101))(request())
    assert response.headers == [(b"X-Frame-Options", b"DENY"), (b"X-A", b"b")]


async def test_a_switch_of_protocols_stays_as_it_is_in_traefik() -> None:
    context = BuildContext("m", as_traefik=True)
    for options in (Options(custom_response_headers={"X-A": "b"}), Options(frame_deny=True)):
        switched = Response(101, Headers())
        switched.tunnel = object()  # type: ignore[assignment]
        response = await build(options, context)(Answers(switched))(request())
        assert response.headers == []


async def test_a_failure_gets_the_headers_inner_ones_first() -> None:
    async def server(_: Request) -> Response:
        raise NoServer("nobody there")

    inner = build(Options(custom_response_headers={"X-A": "inner", "X-B": "inner"}), CONTEXT)
    outer = build(Options(custom_response_headers={"X-A": "outer"}), CONTEXT)
    with pytest.raises(NoServer) as failure:
        await outer(inner(server))(request())
    assert failure.value.amend is not None
    amended = failure.value.amend(Headers())
    assert amended == [(b"X-B", b"inner"), (b"X-A", b"outer")]
