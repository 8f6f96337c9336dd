"""retry."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import ConnectFailed, ExchangeError, NoServer, UpstreamReset
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.retry import Options, build
from tests.support.virtual_time import run
from tests.unit.middleware.bodies import Answers, Overloaded, Pieces, content
from tests.unit.middleware.exchange import request


def retrying(handler: Handler, **options: Any) -> Handler:
    return build(Options(**{"attempts": 3, **options}), BuildContext("m"))(handler)


def posted(*pieces: bytes, length: int | None = None, method: str = "POST") -> Request:
    return request(method=method).evolve(body=Pieces(*pieces, length=length))


def refused() -> ConnectFailed:
    return ConnectFailed("no connection")


async def test_what_was_not_sent_is_sent_again() -> None:
    server = Answers(refused(), refused(), 200)
    sent = posted(b"body")
    response = await retrying(server)(sent)
    assert (response.status, sent.exchange.retries, server.bodies) == (200, 2, [b"body"])


async def test_a_tunnel_is_not_opened_again() -> None:
    server = Answers(101)
    response = await retrying(server, status=("100-599",))(request())
    assert (response.status, len(server.requests)) == (101, 1)


async def test_the_last_failure_is_the_outcome() -> None:
    server = Answers(refused(), refused(), refused())
    sent = request()
    with pytest.raises(ConnectFailed):
        await retrying(server)(sent)
    assert (len(server.requests), sent.exchange.retries) == (3, 2)


@pytest.mark.parametrize("error", [UpstreamReset("reset"), NoServer("none")])
async def test_what_may_have_been_sent_is_not(error: ExchangeError) -> None:
    server = Answers(error)
    with pytest.raises(type(error)):
        await retrying(server)(request())


async def test_a_body_that_was_begun_is_not_sent_again() -> None:
    async def half(asking: Request) -> Response:
        await asking.body.read()
        raise refused()

    with pytest.raises(ConnectFailed):
        await retrying(half)(posted(b"a", b"b"))


async def test_network_errors_can_be_left_alone() -> None:
    server = Answers(refused())
    options = {"disable_retry_on_network_error": True, "status": ("503",)}
    with pytest.raises(ConnectFailed):
        await retrying(server, **options)(request())


async def test_statuses_are_tried_again_and_their_answers_closed() -> None:
    body = Pieces(b"sorry")
    server = Answers(Response(503, Headers(), body), UpstreamReset("reset"), 503)
    response = await retrying(server, status=("500-599",))(posted(b"a", b"b", method="PUT"))
    assert (response.status, body.closed) == (503, True)
    assert server.bodies == [b"ab", b"ab"]
    assert [each.body.length for each in server.requests] == [2, 2, 2]


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
async def test_methods_that_may_not_be_repeated(method: str) -> None:
    sent = posted(b"a", method=method)
    response = await retrying(Answers(503), status=("503",))(sent)
    assert response.status == 503
    options = {"status": ("503",), "retry_non_idempotent_method": True}
    response = await retrying(Answers(503, 200), **options)(posted(b"a", method=method))
    assert response.status == 200


@pytest.mark.parametrize("length", [5, None])
async def test_large_bodies_are_sent_once(length: int | None) -> None:
    server = Answers(503)
    sent = posted(b"abc", b"de", length=length, method="PUT")
    response = await retrying(server, status=("503",), max_request_body_bytes=4)(sent)
    assert (response.status, server.bodies) == (503, [b"abcde"])
    assert server.requests[0].body.length == length


async def test_without_a_limit_bodies_go_to_disk() -> None:
    server = Answers(503, 200)
    data = b"x" * 3_000_000
    sent = request(method="PUT").evolve(body=FixedBody(data))
    response = await retrying(server, status=("503",), max_request_body_bytes=-1)(sent)
    assert (response.status, server.bodies) == (200, [data, data])
    assert await content(response.body) == b""


def test_pauses_grow_to_twice_the_first() -> None:
    async def main() -> list[float]:
        times = []

        async def failing(_: Request) -> Response:
            times.append(asyncio.get_running_loop().time())
            raise refused()

        with pytest.raises(ConnectFailed):
            await retrying(failing, attempts=5, initial_interval=1.0)(request())
        return times

    times = run(main())
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(pauses) == 4
    for number, pause in enumerate(pauses):
        interval = 2 ** (number / 4)
        assert 0.5 * interval <= pause <= 1.5 * interval


def test_after_the_timeout_nothing_is_tried_again() -> None:
    async def slow(_: Request) -> Response:
        await asyncio.sleep(2)
        raise refused()

    async def main() -> int:
        sent = request()
        with pytest.raises(ConnectFailed):
            await retrying(slow, attempts=9, timeout=5.0)(sent)
        return sent.exchange.retries

    assert run(main()) == 2


def test_one_attempt_costs_nothing() -> None:
    server = Answers()
    assert retrying(server, attempts=1) is server


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "attempts: 0 is too small"),
        ({"attempts": 2, "status": ("x",)}, "status:"),
        ({"attempts": 2, "disable_retry_on_network_error": True}, "then status must say"),
        ({"attempts": 2, "max_request_body_bytes": -2}, "maxRequestBodyBytes"),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(**options), BuildContext("m"))


async def test_a_stream_of_the_client_is_not_kept_for_another_try() -> None:
    headers = Headers([(b"Content-Type", b"application/grpc")])
    sent = posted(b"1", b"2").evolve(headers=headers)
    server = Answers(503)
    handler = retrying(server, status=("503",), retry_non_idempotent_method=True)
    assert (await handler(sent)).status == 503
    assert not isinstance(server.requests[0].body, FixedBody)
    assert server.requests[0].body.length is None


async def tries(count: int, context: BuildContext) -> int:
    server = Overloaded(count)
    handler = build(Options(attempts=2, status=("503",)), context)(server)
    answers = await asyncio.gather(*(handler(request()) for _ in range(count)))
    assert {answer.status for answer in answers} == {503}
    return server.asked


async def test_an_overloaded_server_gets_a_fifth_more_and_not_twice_as_much() -> None:
    assert await tries(100, BuildContext("m")) <= 120
    assert await tries(3, BuildContext("m")) == 6, "a few are always repeated"
    assert await tries(100, BuildContext("m", as_traefik=True)) == 200


async def test_the_budget_is_given_back() -> None:
    server = Answers(*[503, 200] * 50)
    handler = retrying(server, status=("503",))
    assert {(await handler(request())).status for _ in range(50)} == {200}
