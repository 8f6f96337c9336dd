"""grpcWeb."""

import base64

import pytest

from edgerouter.http.errors import BadRequest, ConnectFailed
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.grpc_web import DecodedBody, Options, build
from tests.unit.middleware.bodies import Answers, Pieces, content
from tests.unit.middleware.exchange import request

FRAME = b"\x00\x00\x00\x00\x05hello"
TRAILERS = Headers([(b"Grpc-Status", b"0"), (b"grpc-message", b"fine")])
ORIGIN = (b"Origin", b"https://app.test")


def asking(kind: bytes, *pieces: bytes) -> Request:
    sent = request("/s/m", method="POST", headers=[(b"Content-Type", kind), ORIGIN])
    return sent.evolve(body=Pieces(*pieces))


def answering() -> Answers:
    headers = Headers([(b"Content-Type", b"application/grpc+proto"), (b"Trailer", b"Grpc-Status")])
    return Answers(Response(200, headers, Pieces(FRAME, trailers=TRAILERS)))


async def test_requests_become_grpc_and_trailers_a_frame() -> None:
    server = answering()
    handler = build(Options(("https://app.test",)), BuildContext("m"))(server)
    sent = asking(b"application/grpc-web+proto", FRAME)
    response = await handler(sent)
    (seen,) = server.requests
    assert seen.headers.all(b"content-type") == [b"application/grpc+proto"]
    assert seen.headers.first(b"te") == b"trailers"
    assert server.bodies == [FRAME]
    assert response.headers.first(b"content-type") == b"application/grpc-web+proto"
    assert response.headers.first(b"access-control-allow-origin") == b"https://app.test"
    assert not response.headers.has(b"trailer")
    block = b"grpc-status: 0\r\ngrpc-message: fine\r\n"
    frame = b"\x80" + len(block).to_bytes(4, "big") + block
    assert await content(response.body) == FRAME + frame
    assert sent.exchange.origin_size == len(FRAME)
    assert list(response.body.trailers) == []


@pytest.mark.parametrize("kind", [b"application/grpc-web", b"application/grpc-web-text"])
@pytest.mark.parametrize(
    ("own", "answer", "piece"),
    [(b"application/grpc", b"", 0), (b"text/plain", b"bad", 3), (b"text/plain", b"bad", None)],
)
async def test_without_trailers_there_is_no_frame(
    kind: bytes, own: bytes, answer: bytes, piece: int | None
) -> None:
    body = Pieces(answer, length=piece)
    headers = Headers([(b"Content-Type", own), (b"Grpc-Status", b"5")])
    handler = build(Options(), BuildContext("m"))(Answers(Response(200, headers, body)))
    response = await handler(asking(kind, b""))
    assert response.body is body
    expected = kind if own == b"application/grpc" else own
    assert response.headers.first(b"content-type") == expected
    assert response.headers.first(b"access-control-expose-headers") == (
        b"Content-Type, Grpc-Status, Vary, grpc-status, grpc-message"
    )


async def test_scripts_may_read_errors() -> None:
    handler = build(Options(("*",)), BuildContext("m"))(Answers(ConnectFailed("away")))
    with pytest.raises(ConnectFailed) as raised:
        await handler(asking(b"application/grpc-web", FRAME))
    assert raised.value.amend is not None
    fields = raised.value.amend(Headers())
    assert fields.first(b"access-control-allow-origin") == b"https://app.test"


async def test_text_is_base64_both_ways() -> None:
    server = answering()
    handler = build(Options(), BuildContext("m"))(server)
    text = base64.b64encode(FRAME)
    sent = asking(b"application/grpc-web-text", text[:3], text[3:])
    response = await handler(sent)
    assert server.bodies == [FRAME]
    assert server.requests[0].headers.first(b"content-type") == b"application/grpc"
    assert response.headers.first(b"content-type") == b"application/grpc-web-text+proto"
    assert not response.headers.has(b"access-control-allow-origin")
    coded = await content(response.body)
    padded = DecodedBody(Pieces(coded))
    assert (await content(padded)).startswith(FRAME + b"\x80")


@pytest.mark.parametrize("text", [b"AAA", b"A!==", b"A==="])
async def test_what_is_no_base64_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest, match="Base64"):
        await content(DecodedBody(Pieces(text)))


@pytest.mark.parametrize(
    ("origins", "expected"),
    [(("https://app.test",), True), (("*",), True), (("https://other.test",), False), ((), False)],
)
async def test_preflights(origins: tuple[str, ...], expected: bool) -> None:
    server = Answers()
    sent = request(
        method="OPTIONS",
        headers=[
            ORIGIN,
            (b"Access-Control-Request-Method", b"POST"),
            (b"Access-Control-Request-Headers", b"content-type,x-grpc-web"),
        ],
    )
    response = await build(Options(origins), BuildContext("m"))(server)(sent)
    assert response.status == 200
    assert response.headers.has(b"access-control-allow-origin") is expected
    if expected:
        allowed = response.headers.first(b"access-control-allow-headers")
        assert allowed == b"Content-Type, X-Grpc-Web"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", [(b"Content-Type", b"application/json")]),
        ("GET", [(b"Content-Type", b"application/grpc-web")]),
        ("OPTIONS", [(b"Access-Control-Request-Method", b"POST")]),
        ("POST", []),
    ],
)
async def test_other_requests_pass(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    server = Answers(200)
    sent = request(method=method, headers=headers)
    await build(Options(("*",)), BuildContext("m"))(server)(sent)
    assert server.requests == [sent]
