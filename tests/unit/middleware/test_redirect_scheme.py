"""redirectScheme; the cases are those of Traefik's own tests where it has one."""

from typing import Any

import pytest

from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.redirect_scheme import Options, build
from edgerouter.middleware.urls import BadURL
from tests.unit.middleware.exchange import Seen, request

FORWARDED = b"X-Forwarded-Proto"


@pytest.mark.parametrize(
    ("options", "sent", "location"),
    [
        ({"scheme": "https"}, {}, b"https://foo/"),
        ({"scheme": "https"}, {"path": "/a%2Fb", "query": "x=1&y"}, b"https://foo/a%2Fb?x=1&y"),
        ({"scheme": "https"}, {"query": ""}, b"https://foo/?"),
        ({"scheme": "https", "port": "8443"}, {"authority": "foo:8080"}, b"https://foo:8443/"),
        ({"scheme": "https", "port": "443"}, {"authority": "foo:8080"}, b"https://foo/"),
        ({"scheme": "http", "port": "80"}, {"scheme": "https"}, b"http://foo/"),
        ({"scheme": "https"}, {"authority": "foo:80"}, b"https://foo/"),
        ({"scheme": "https"}, {"authority": "[::1]:80"}, b"https://[::1]/"),
        ({"scheme": "https"}, {"authority": "[::1]"}, b"https://[::1]/"),
        ({"scheme": "http"}, {"headers": [(FORWARDED, b"https")]}, b"http://foo/"),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"ws")]}, b"https://foo/"),
        (
            {"scheme": "https", "port": "8443"},
            {"headers": [(FORWARDED, b"https")]},
            b"https://foo:8443/",
        ),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"https, http")]}, b"https://foo/"),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"ftp://evil/")]}, b"https://foo/"),
        ({"scheme": "HTTPS", "port": "0443"}, {}, b"https://foo/"),
        ({"scheme": "http"}, {"headers": [(FORWARDED, b"HTTPS")]}, b"http://foo/"),
        ({"scheme": "https"}, {"path": "/caf\udcc3\udca9"}, b"https://foo/caf\xc3\xa9"),
    ],
)
async def test_redirections(options: Any, sent: Any, location: bytes) -> None:
    seen = Seen()
    sent = {"authority": "foo", **sent}
    response = await build(Options(**options), BuildContext("m"))(seen)(request(**sent))
    assert (response.status, response.headers.first(b"location")) == (302, location)
    assert await response.body.read() == b"Found"
    assert seen.request is None


async def test_semicolons_of_the_client_stay() -> None:
    sent = request("/a", authority="foo", query="x&y").evolve(target="/a?x;y")
    response = await build(Options("https"), BuildContext("m"))(Seen())(sent)
    assert response.headers.first(b"location") == b"https://foo/a?x;y"


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"scheme": "https"}, {"scheme": "https"}),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"https")]}),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"wss")]}),
        ({"scheme": "https"}, {"headers": [(FORWARDED, b"HTTPS")]}),
        ({"scheme": "HTTPS"}, {"scheme": "https"}),
        ({"scheme": "HTTP", "port": "080"}, {"authority": "foo:80"}),
        ({"scheme": "http", "port": "80"}, {"authority": "foo:80"}),
        ({"scheme": "https", "port": "8443"}, {"authority": "foo:8443", "scheme": "https"}),
    ],
)
async def test_what_is_right_already_goes_on(options: Any, sent: Any) -> None:
    seen = Seen()
    sent = {"authority": "foo", **sent}
    response = await build(Options(**options), BuildContext("m"))(seen)(request(**sent))
    assert response.status == 200
    assert seen.request is not None


@pytest.mark.parametrize(
    ("method", "permanent", "status", "text"),
    [
        ("GET", False, 302, b"Found"),
        ("GET", True, 301, b"Moved Permanently"),
        ("HEAD", False, 307, b"Temporary Redirect"),
        ("HEAD", True, 308, b"Permanent Redirect"),
        ("POST", True, 308, b"Permanent Redirect"),
    ],
)
async def test_statuses(method: str, permanent: bool, status: int, text: bytes) -> None:
    middleware = build(Options("https", permanent=permanent), BuildContext("m"))
    response = await middleware(Seen())(request(method=method))
    assert (response.status, await response.body.read()) == (status, text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "scheme: must not be empty"),
        ({"scheme": "https://"}, "scheme: 'https://' is no scheme; write http or https"),
        ({"scheme": "a b"}, "scheme: 'a b'"),
        ({"scheme": "https\r\nX: y"}, r"scheme: 'https\\r\\nX: y'"),
        ({"scheme": "https", "port": "0"}, "port: '0' is not between 1 and 65535"),
        ({"scheme": "https", "port": "65536"}, "port: '65536'"),
        ({"scheme": "https", "port": "https"}, "port: 'https'"),
        ({"scheme": "https", "port": "-1"}, "port: '-1'"),
        ({"scheme": "https", "port": "٤٤٣"}, "port: "),
        ({"scheme": "https", "port": "9" * 5000}, "port: "),
    ],
)
def test_options_that_cannot_work(options: Any, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(Options(**options), BuildContext("m"))


async def test_what_makes_no_url_fails_every_request_in_traefik() -> None:
    context = BuildContext("m", as_traefik=True)
    for options in (Options("a b"), Options("https", "x"), Options("https", "1\r\nX: y")):
        with pytest.raises(BadURL):
            await build(options, context)(Seen())(request())
    response = await build(Options("https", "0"), context)(Seen())(request("/x"))
    assert response.headers.first(b"location") == b"https://example.com:0/x"
