"""circuitBreaker; its states are tested in tests/unit/shared/test_circuits.py."""

from typing import Any

import pytest

from edgerouter.http.errors import ConnectFailed
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.circuit_breaker import Options, build
from edgerouter.shared.memory import Shared
from tests.unit.middleware.bodies import Answers, Pieces, content
from tests.unit.middleware.exchange import request

FAILING = "ResponseCodeRatio(500, 600, 0, 600) > 0.5 || LatencyAtQuantileMS(50.0) > 100"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(router: str = "r@file") -> Request:
    made = request()
    made.exchange.router = router
    return made


def breaking(
    handler: Handler, clock: Clock, shared: Shared | None = None, **options: Any
) -> Handler:
    context = BuildContext("m", shared=shared or Shared.create(1))
    return build(Options(**{"expression": FAILING, **options}), context, clock)(handler)


async def test_it_opens_and_recovers() -> None:
    clock, server = Clock(), Answers(503, 200, 200)
    handler = breaking(server, clock, response_code=429)
    assert (await handler(asked())).status == 503
    sent = asked()
    refused = await handler(sent)
    assert (refused.status, await content(refused.body)) == (429, b"Too Many Requests")
    assert sent.exchange.error == "the circuit breaker is open"
    clock.now += 10.1
    await handler(asked())
    clock.now += 10.1
    assert (await handler(asked())).status == 200
    assert (await handler(asked())).status == 200


@pytest.mark.parametrize("as_traefik", [False, True])
async def test_a_long_download_is_a_slow_answer_in_traefik_only(as_traefik: bool) -> None:
    clock = Clock()
    slow = Response(200, Headers(), Pieces(b"slow"))
    context = BuildContext("m", shared=Shared.create(1), as_traefik=as_traefik)
    options = Options(expression="LatencyAtQuantileMS(50.0) > 100", check_period=0.001)
    handler = build(options, context, clock)(Answers(slow, 200, 200))
    response = await handler(asked())
    clock.now += 1
    assert await content(response.body) == b"slow"
    clock.now += 1
    statuses = [(await handler(asked())).status for _ in range(2)]
    assert statuses == ([503, 503] if as_traefik else [200, 200])


async def test_failures_count_as_what_the_client_sees() -> None:
    handler = breaking(Answers(ConnectFailed("x")), Clock())
    with pytest.raises(ConnectFailed):
        await handler(asked())
    assert (await handler(asked())).status == 503


async def test_slow_answers_count() -> None:
    clock = Clock()

    async def slow(_: Request) -> Any:
        clock.now += 0.2
        return await Answers(200)(asked())

    handler = breaking(slow, clock)
    assert (await handler(asked())).status == 200
    assert (await handler(asked())).status == 503


async def test_routers_have_circuit_breakers_of_their_own() -> None:
    handler = breaking(Answers(503, 200), Clock())
    await handler(asked("a@file"))
    assert (await handler(asked("b@file"))).status == 200
    assert (await handler(asked("a@file"))).status == 503


async def test_its_state_outlives_a_new_table_but_not_new_options() -> None:
    clock, shared = Clock(), Shared.create(1)
    await breaking(Answers(503), clock, shared)(asked())
    assert (await breaking(Answers(), clock, shared)(asked())).status == 503
    handler = breaking(Answers(200), clock, shared, check_period=1.0)
    assert (await handler(asked())).status == 200


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "expression: must not be empty"),
        ({"expression": "NetworkErrorRatio()"}, "is no condition"),
        ({"expression": "NetworkErrorRatios() > 1"}, 'did you mean "NetworkErrorRatio"'),
        ({"expression": FAILING, "response_code": 99}, "responseCode: 99"),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(**options), BuildContext("m"))
