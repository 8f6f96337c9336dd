"""buffering."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from edgerouter.http.errors import BodyTooLarge, ConnectFailed, UpstreamReset
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.buffering import Options, ResponseTooLarge, build
from tests.support.open_files import open_files
from tests.unit.middleware.bodies import Answers, Overloaded, Pieces, content, page
from tests.unit.middleware.exchange import request


def buffering(handler: Handler, **options: Any) -> Handler:
    return build(Options(**options), BuildContext("m"))(handler)


def posted(*pieces: bytes, length: int | None = None, method: str = "POST") -> Request:
    return request(method=method).evolve(body=Pieces(*pieces, length=length))


@pytest.mark.parametrize("memory", [0, 1000])
async def test_bodies_are_complete_before_they_are_passed_on(
    memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = Answers(Response(200, Headers(), Pieces(b"an", b"swer")))
    handler = buffering(server, mem_request_body_bytes=memory, mem_response_body_bytes=memory)
    response = await handler(posted(b"ques", b"tion").evolve(expects_continue=True))
    assert server.bodies == [b"question"]
    assert server.requests[0].body.length == 8
    assert not server.requests[0].expects_continue
    assert response.body.length == 6
    assert await content(response.body) == b"answer"
    response.close()
    assert open_files(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [11, None])
async def test_large_requests_are_refused(length: int | None) -> None:
    server = Answers()
    with pytest.raises(BodyTooLarge, match="10 bytes"):
        await buffering(server, max_request_body_bytes=10)(
            posted(b"hello ", b"world", length=length)
        )
    assert server.requests == []


@pytest.mark.parametrize("length", [11, None])
async def test_large_answers_are_refused(
    length: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = Pieces(b"hello ", b"world", length=length)
    with pytest.raises(ResponseTooLarge, match="10 bytes"):
        await buffering(
            Answers(Response(200, Headers(), body)),
            max_response_body_bytes=10,
            mem_response_body_bytes=1,
        )(request())
    assert body.closed
    assert open_files(tmp_path) == []


async def test_answers_to_head_have_no_size() -> None:
    body = Pieces(length=5000)
    server = Answers(Response(200, Headers(), body))
    response = await buffering(server, max_response_body_bytes=10)(request(method="HEAD"))
    assert response.body is body


STREAMS = ["text/event-stream; a=b", "application/x-ndjson", "application/grpc+proto"]


@pytest.mark.parametrize("kind", STREAMS)
async def test_streams_pass(kind: str) -> None:
    body = Pieces(b"data: 1\n\n")
    answer = Response(200, Headers([(b"Content-Type", kind.encode())]), body)
    response = await buffering(Answers(answer))(request())
    assert response.body is body


@pytest.mark.parametrize(
    ("kind", "said", "passes"),
    [
        (b"text/plain", b"no", True),
        (b"text/plain", b"No", True),
        (b"text/plain", b"yes", False),
        (b"text/plain", b"perhaps", False),
        (b"text/event-stream", b"yes", False),
        (b"text/event-stream", b"perhaps", True),
    ],
)
async def test_a_server_says_whether_it_is_to_be_buffered(
    kind: bytes, said: bytes, passes: bool
) -> None:
    body = Pieces(b"data: 1\n\n")
    fields = Headers([(b"Content-Type", kind), (b"X-Accel-Buffering", said)])
    response = await buffering(Answers(Response(200, fields, body)))(request())
    assert (response.body is body) is passes
    assert response.headers == fields


@pytest.mark.parametrize("kind", STREAMS)
async def test_streams_of_clients_pass(kind: str) -> None:
    sent = posted(b"1", b"2").evolve(headers=Headers([(b"Content-Type", kind.encode())]))
    server = Answers(200)
    await buffering(server)(sent)
    assert server.requests == [sent]


async def test_streams_are_read_as_by_traefik() -> None:
    body = Pieces(b"data: 1\n\n")
    fields = Headers([(b"Content-Type", b"text/event-stream"), (b"X-Accel-Buffering", b"no")])
    answer = Response(200, fields, body)
    context = BuildContext("m", as_traefik=True)
    response = await build(Options(), context)(Answers(answer))(request())
    assert response.body.ready() == b"data: 1\n\n"


async def test_a_broken_answer_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    class Broken(Pieces):
        async def read(self) -> bytes:
            data = await super().read()
            if not data:
                raise UpstreamReset("the server broke off")
            return data

    body = Broken(b"half")
    with pytest.raises(UpstreamReset):
        await buffering(
            Answers(Response(200, Headers(), body)),
            mem_request_body_bytes=0,
            mem_response_body_bytes=0,
        )(posted(b"body"))
    assert body.closed
    assert open_files(tmp_path) == []


async def test_an_expression_repeats_requests() -> None:
    body = Pieces(b"sorry")
    server = Answers(Response(502, Headers(), body), 504, page(b"done"))
    sent = posted(b"bo", b"dy")
    handler = buffering(server, retry_expression="IsNetworkError() && Attempts() < 3")
    response = await handler(sent)
    assert (response.status, await content(response.body)) == (200, b"done")
    assert (server.bodies, sent.exchange.retries) == ([b"body"] * 3, 2)


async def test_failures_are_repeated_too() -> None:
    expression = 'ResponseCode() == 502 && RequestMethod() == "PUT" && Attempts() <= 1'
    handler = buffering(
        Answers(ConnectFailed("x"), ConnectFailed("y")), retry_expression=expression
    )
    with pytest.raises(ConnectFailed, match="y"):
        await handler(posted(b"body", method="PUT"))
    handler = buffering(Answers(ConnectFailed("x")), retry_expression=expression)
    with pytest.raises(ConnectFailed, match="x"):
        await handler(posted(b"body"))


@pytest.mark.parametrize(("as_traefik", "asked"), [(False, 3), (True, 1)])
async def test_requests_without_a_body_are_repeated_too(as_traefik: bool, asked: int) -> None:
    server = Answers(*[503] * asked)
    context = BuildContext("m", as_traefik=as_traefik)
    handler = build(Options(retry_expression="Attempts() < 3"), context)(server)
    assert (await handler(request())).status == 503
    assert len(server.requests) == asked


async def tries(count: int, *, as_traefik: bool = False) -> int:
    server = Overloaded(count)
    context = BuildContext("m", as_traefik=as_traefik)
    handler = build(Options(retry_expression="Attempts() < 2"), context)(server)
    answers = await asyncio.gather(*(handler(posted(b"body")) for _ in range(count)))
    assert {answer.status for answer in answers} == {503}
    return server.asked


async def test_an_overloaded_server_gets_a_fifth_more_and_not_twice_as_much() -> None:
    assert await tries(100) <= 120
    assert await tries(3) == 6, "a few are always repeated"
    assert await tries(100, as_traefik=True) == 200


async def test_the_budget_is_given_back() -> None:
    server = Answers(*[503, 200] * 50)
    handler = buffering(server, retry_expression="ResponseCode() == 503")
    assert {(await handler(request())).status for _ in range(50)} == {200}


async def test_there_is_an_end_to_repetitions() -> None:
    server = Answers(*[503] * 11)
    response = await buffering(server, retry_expression="ResponseCode() > 0")(request())
    assert (response.status, len(server.requests)) == (503, 11)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_request_body_bytes": -1}, "maxRequestBodyBytes: must not be negative"),
        ({"mem_response_body_bytes": -1}, "memResponseBodyBytes: must not be negative"),
        ({"retry_expression": "Attempts("}, "retryExpression: 'Attempts"),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(**options), BuildContext("m"))
