"""contentType: which answers get a type, and which type."""

import pytest

from edgerouter.http.body import NO_TRAILERS, FixedBody
from edgerouter.http.errors import ConnectFailed
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.content_type import Options, build
from edgerouter.middleware.sniff import sniff
from tests.unit.middleware.exchange import request


class Stream:
    """A body that arrives in pieces."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = [*chunks]
        self.length: int | None = None
        self.trailers = NO_TRAILERS
        self.closed = False

    async def read(self) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self.closed = True


async def typed(
    response: Response, method: str = "GET", options: Options | None = None
) -> Response:
    async def server(_: Request) -> Response:
        return response

    handler = build(options or Options(), BuildContext("type@file"))(server)
    return await handler(request(method=method))


async def test_a_body_that_is_there() -> None:
    response = await typed(Response(200, Headers(), FixedBody(b"<html>")))
    assert response.headers == [(b"Content-Type", b"text/html; charset=utf-8")]
    assert response.body.ready() == b"<html>"


async def test_a_body_on_its_way_is_not_held_back() -> None:
    stream = Stream(b"%PDF-1", b".7")
    response = await typed(Response(200, Headers(), stream))
    assert response.headers == [(b"Content-Type", b"application/pdf")]
    assert [await response.body.read() for _ in range(3)] == [b"%PDF-1", b".7", b""]
    response.close()
    assert stream.closed


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (Response(200, Headers([(b"content-type", b"x/y")]), FixedBody(b"a")), "GET"),
        (Response(200, Headers([(b"Content-Encoding", b"br")]), FixedBody(b"a")), "GET"),
        (Response(200, Headers(), FixedBody(b"")), "GET"),
        (Response(204, Headers()), "GET"),
        (Response(200, Headers(), FixedBody(b"a")), "HEAD"),
    ],
)
async def test_answers_that_stay_as_they_are(response: Response, method: str) -> None:
    before = Headers(response.headers)
    assert (await typed(response, method)).headers == before


async def test_switched_off() -> None:
    response = Response(200, Headers(), FixedBody(b"a"))
    assert (await typed(response, options=Options(auto_detect=False))).headers == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"  <!doctype html>", b"text/html; charset=utf-8"),
        (b"<p>", b"text/html; charset=utf-8"),
        (b"<px>", b"text/plain; charset=utf-8"),
        (b"\n<?xml version", b"text/xml; charset=utf-8"),
        (b'{"a": 1}', b"text/plain; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n", b"image/png"),
        (b"RIFF....WEBPVP8", b"image/webp"),
        (b"RIFF....WAVE", b"audio/wave"),
        (b"\x1f\x8b\x08...", b"application/x-gzip"),
        (b"\x00\x00\x00\x18ftypisomxxxxmp42abcd", b"video/mp4"),
        (b"\x00\x00\x00\x10ftypmp42", b"application/octet-stream"),
        (b"\x00" * 34 + b"LP", b"application/vnd.ms-fontobject"),
        (b"\x01\x02", b"application/octet-stream"),
        (b"a" * 600 + b"\x00", b"text/plain; charset=utf-8"),
        ("grüß".encode("latin-1"), b"text/plain; charset=utf-8"),
    ],
)
def test_kinds(data: bytes, kind: bytes) -> None:
    assert sniff(data) == kind


async def test_pages_of_failures_get_a_type_in_traefik_only() -> None:
    async def server(_: Request) -> Response:
        raise ConnectFailed("away")

    for as_traefik in (False, True):
        context = BuildContext("type@file", as_traefik=as_traefik)
        with pytest.raises(ConnectFailed) as failure:
            await build(Options(), context)(server)(request())
        page = Response(502, Headers(), FixedBody(b"Bad Gateway"))
        for change in failure.value.changes:
            change(page)
        assert page.headers.has(b"content-type") is as_traefik
        assert page.body.ready() == b"Bad Gateway"
