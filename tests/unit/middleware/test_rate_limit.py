"""rateLimit in memory; its numbers are Traefik's."""

import time
from typing import Any

import pytest

from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.rate_limit import Options, build
from edgerouter.middleware.source_criterion import IPStrategy, SourceCriterion
from edgerouter.shared.memory import Shared
from tests.unit.middleware.exchange import Seen, request


class Route:
    """The middleware in one route, with counters of its own."""

    def __init__(self, shared: Shared | None = None, router: str = "r@file", **options: Any):
        self._router = router
        context = BuildContext("limit@file", shared=shared or Shared.create(1))
        self._handler = build(Options(**options), context)(Seen())

    async def ask(self, sent: Request | None = None) -> Response:
        sent = sent or request()
        sent.exchange.router = self._router
        return await self._handler(sent)

    async def statuses(self, count: int) -> list[int]:
        return [(await self.ask()).status for _ in range(count)]


async def test_the_burst_passes_and_the_rest_is_refused() -> None:
    route = Route(average=1, period=3600.0, burst=3)
    assert await route.statuses(5) == [200, 200, 200, 429, 429]


async def test_a_refusal_says_when_to_come_again() -> None:
    route = Route(average=1, period=3600.0)
    await route.ask()
    refused = await route.ask()
    assert refused.headers.first(b"retry-after") == b"3600"
    assert (refused.headers.first(b"x-retry-in") or b"").startswith(b"59m59.")
    assert await refused.body.read() == b"Too Many Requests"


async def test_what_comes_a_little_too_soon_waits() -> None:
    route = Route(average=20, burst=1)
    began = time.monotonic()
    assert await route.statuses(2) == [200, 429]
    while time.monotonic() < began + 0.03:
        time.sleep(0.001)
    assert (await route.ask()).status == 200
    assert time.monotonic() - began >= 0.049


@pytest.mark.parametrize("average", [0, -5])
async def test_no_average_is_no_limit(average: int) -> None:
    assert await Route(average=average).statuses(5) == [200] * 5


@pytest.mark.parametrize("burst", [0, -3])
async def test_the_smallest_burst_is_one(burst: int) -> None:
    assert await Route(average=1, period=60.0, burst=burst).statuses(2) == [200, 429]


async def test_no_period_is_a_second() -> None:
    route = Route(average=1, period=0.0)
    await route.ask()
    assert (await route.ask()).headers.first(b"retry-after") == b"1"


async def test_routers_and_sources_have_buckets_of_their_own() -> None:
    shared = Shared.create(1)
    options: Any = {
        "average": 1,
        "period": 60.0,
        "source_criterion": SourceCriterion(request_header_name="X-Key"),
    }
    first, second = Route(shared, "a@file", **options), Route(shared, "b@file", **options)
    assert await first.statuses(2) == [200, 429]
    assert await second.statuses(2) == [200, 429]
    assert (await first.ask(request(headers=[(b"X-Key", b"k")]))).status == 200


async def test_state_survives_a_new_build() -> None:
    shared = Shared.create(1)
    assert await Route(shared, average=1, period=60.0).statuses(1) == [200]
    assert await Route(shared, average=2, period=60.0).statuses(1) == [429]


async def test_workers_share_buckets() -> None:
    first = Shared.create(2)
    second = Shared(first.descriptor, 2, worker=1)
    routes = [Route(shared, average=1, period=60.0, burst=4) for shared in (first, second)]
    statuses = [(await routes[turn % 2].ask()).status for turn in range(8)]
    assert statuses == [200] * 4 + [429] * 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"average": 1, "period": -1.0}, "period: -1s is negative"),
        (
            {"average": 1, "source_criterion": SourceCriterion(IPStrategy(), "X")},
            "mutually exclusive",
        ),
    ],
)
def test_mistakes(options: Any, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(Options(**options), BuildContext("m"))
