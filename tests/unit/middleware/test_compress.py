"""compress."""

import zlib
from typing import Any

import pytest

from edgerouter.http.body import EMPTY
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.compress import SLICE, Options, build
from tests.unit.middleware.bodies import Answers, Pieces, content, page, pieces
from tests.unit.middleware.exchange import request

DATA = b"compress me " * 200
TEXT = (b"Content-Type", b"text/plain")


async def compressed(
    answer: Response, *fields: tuple[bytes, bytes], method: str = "GET", **options: Any
) -> tuple[Response, Request]:
    sent = request(method=method, headers=[(b"Accept-Encoding", b"gzip"), *fields])
    handler = build(Options(**options), BuildContext("m"))(Answers(answer))
    return await handler(sent), sent


def is_gzip(response: Response) -> bool:
    return response.headers.all(b"content-encoding") == [b"gzip"]


async def test_a_whole_answer_keeps_a_length() -> None:
    response, sent = await compressed(page(DATA, TEXT, (b"Content-Length", b"2400")))
    data = await content(response.body)
    assert response.headers == [
        (b"Vary", b"Accept-Encoding"),
        TEXT,
        (b"Content-Encoding", b"gzip"),
    ]
    assert zlib.decompress(data, 31) == DATA
    assert sent.exchange.origin_size == len(DATA)


async def test_what_is_on_its_way_is_flushed_piece_by_piece() -> None:
    trailers = Headers([(b"X-End", b"1")])
    body = Pieces(b"first", b"second", trailers=trailers)
    response, sent = await compressed(Response(200, Headers([TEXT]), body))
    assert response.body.length is None
    assert response.body.ready() is None
    decoder = zlib.decompressobj(31)
    assert [decoder.decompress(part) for part in await pieces(response.body)] == [
        b"first",
        b"second",
        b"",
    ]
    assert decoder.eof
    assert response.body.trailers == trailers
    assert sent.exchange.origin_size == 11
    response.close()
    assert body.closed


async def test_large_answers_are_compressed_slice_by_slice() -> None:
    data = DATA * 200
    response, sent = await compressed(page(data, TEXT))
    parts = await pieces(response.body)
    assert len(parts) == len(data) // SLICE + 2
    assert zlib.decompress(b"".join(parts), 31) == data
    assert sent.exchange.origin_size == len(data)


@pytest.mark.parametrize("length", [1023, 1024])
async def test_small_answers_are_left_alone(length: int) -> None:
    response, sent = await compressed(page(b"x" * length, TEXT))
    assert is_gzip(response) is (length == 1024)
    assert response.headers.first(b"vary") == b"Accept-Encoding"
    assert len(await content(response.body)) <= length
    assert sent.exchange.origin_size == (1024 if length == 1024 else 0)


async def test_a_small_chunked_answer_that_is_all_there_gets_a_length() -> None:
    body = page(b"small").body
    body.length = None
    response, _ = await compressed(Response(200, Headers([TEXT]), body))
    assert not is_gzip(response)
    assert (response.body.length, await content(response.body)) == (5, b"small")


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, [(b"Content-Encoding", b"x-own")]),
        (206, [(b"Content-Range", b"bytes 0-9/10")]),
        (200, [(b"Cache-Control", b"public, No-Transform")]),
        (200, [(b"Content-Type", b"text/event-stream; charset=utf-8")]),
        (200, [(b"Content-Type", b"application/x-ndjson")]),
        (200, [(b"Content-Type", b"application/grpc+proto")]),
        (200, [(b"Content-Type", b"no type")]),
        (204, []),
        (304, []),
    ],
)
async def test_what_is_left_alone(status: int, fields: list[tuple[bytes, bytes]]) -> None:
    response, _ = await compressed(page(DATA, *fields, status=status))
    assert response.headers == [(b"Vary", b"Accept-Encoding"), *fields]
    assert await content(response.body) == DATA


async def test_head_is_left_alone() -> None:
    response, _ = await compressed(page(b"", TEXT), method="HEAD")
    assert response.headers == [TEXT]


async def test_tunnels_are_left_alone() -> None:
    class Tunnel:
        def close(self) -> None: ...

    answer = Response(101, Headers(), EMPTY, Tunnel())  # type: ignore[arg-type]  # only passed on
    response, _ = await compressed(answer)
    assert (response.tunnel, response.headers) == (answer.tunnel, [])


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"included_content_types": ("text/event-stream",)}, b"text/event-stream", True),
        ({"included_content_types": ("text/html",)}, b"TEXT/HTML; charset=utf-8", True),
        ({"included_content_types": ("text/html",)}, b"text/plain", False),
        ({"included_content_types": ("text/html",)}, b"", False),
        ({"excluded_content_types": ("text/html; a=b",)}, b"text/html", False),
        ({"excluded_content_types": ("text/html",)}, b"text/plain", True),
        ({}, b"", True),
    ],
)
async def test_types(options: Any, kind: bytes, expected: bool) -> None:
    fields = [(b"Content-Type", kind)] if kind else []
    response, _ = await compressed(page(DATA, *fields), **options)
    assert is_gzip(response) is expected


async def test_an_excluded_type_of_the_request_counts() -> None:
    options = {"excluded_content_types": ("text/html",)}
    response, _ = await compressed(page(DATA), (b"Content-Type", b"text/html"), **options)
    assert response.headers == []


async def test_validators_and_ranges_of_the_original_go() -> None:
    fields = [(b"ETag", b'"a"'), (b"Accept-Ranges", b"bytes")]
    response, _ = await compressed(page(DATA, *fields))
    assert response.headers.first(b"etag") == b'W/"a"'
    assert not response.headers.has(b"accept-ranges")
    response, _ = await compressed(page(DATA, (b"ETag", b'W/"a"')))
    assert response.headers.first(b"etag") == b'W/"a"'


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"encodings": ("gzip", "deflate")}, 'encodings: "deflate"'),
        ({"encodings": ("gzip",), "default_encoding": "br"}, 'defaultEncoding: "br"'),
        ({"excluded_content_types": ("a b",)}, 'excludedContentTypes: "a b" is not a media type'),
        (
            {"excluded_content_types": ("a/b",), "included_content_types": ("a/c",)},
            "exclude each other",
        ),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(**options), BuildContext("m"))
