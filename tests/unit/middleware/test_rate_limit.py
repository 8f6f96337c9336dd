"""rateLimit in memory: Traefik's numbers, the modes of nginx, dry runs, several limits, fields."""

import asyncio
import logging
import time
from typing import Any

import pytest

from edgerouter.http.errors import NoServer
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.rate_limit import Options, build
from edgerouter.middleware.source_criterion import IPStrategy, SourceCriterion
from edgerouter.shared.memory import Shared
from tests.unit.middleware.exchange import Seen, request


class Route:
    """The middleware in one route, with counters of its own."""

    def __init__(self, memory: Shared | None = None, router: str = "r@file", **options: Any):
        self._router = router
        context = BuildContext("limit@file", shared=memory or Shared.create(1))
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


# The modes of nginx.


async def test_nobody_waits() -> None:
    route = Route(average=20, burst=3, no_delay=True)
    began = time.monotonic()
    assert await route.statuses(5) == [200] * 3 + [429] * 2
    while time.monotonic() < began + 0.03:  # More than half of the time to the next token.
        time.sleep(0.001)
    assert await route.statuses(1) == [429]


async def test_what_comes_too_soon_waits_its_turn() -> None:
    route = Route(average=50, burst=3, delay=0)
    began = time.monotonic()
    assert await route.statuses(3) == [200] * 3
    assert 0.039 <= time.monotonic() - began < 1


async def test_some_pass_at_once_and_some_wait() -> None:
    route = Route(average=50, burst=4, delay=2)
    began = time.monotonic()
    assert await route.statuses(3) == [200] * 3
    at_once = time.monotonic() - began
    assert await route.statuses(1) == [200]
    assert time.monotonic() - began >= at_once + 0.005


async def test_a_line_ends_with_the_burst() -> None:
    route = Route(average=1, period=0.2, burst=2, delay=0)
    answers = await asyncio.gather(*(route.ask() for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429]


async def test_a_dry_run_only_tells(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    route = Route(average=1, period=60.0, burst=2, delay=0, dry_run=True)
    assert await route.statuses(3) == [200] * 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "rateLimit limit@file (dry run): a request of router r@file" in told[0]
    assert "delayed by 1m" in told[0] or "delayed by 59." in told[0]
    assert "refused" in told[1]


async def test_another_status() -> None:
    assert await Route(average=1, period=60.0, status_code=503).statuses(2) == [200, 503]


async def test_routers_share_buckets_if_told() -> None:
    shared = Shared.create(1)
    options: Any = {"average": 1, "period": 60.0, "shared": True}
    first, second = Route(shared, "a@file", **options), Route(shared, "b@file", **options)
    assert await first.statuses(1) + await second.statuses(1) == [200, 429]


# Fields.


async def test_fields_tell_what_is_left() -> None:
    route = Route(average=10, period=60.0, burst=2, no_delay=True, headers=True)
    first = await route.ask()
    assert first.headers.first(b"ratelimit-policy") == b'"limit@file";q=10;w=60'
    assert first.headers.first(b"ratelimit") == b'"limit@file";r=1;t=6'
    await route.ask()
    refused = await route.ask()
    assert refused.status == 429
    assert refused.headers.first(b"ratelimit") == b'"limit@file";r=0;t=12'
    assert refused.headers.first(b"retry-after") == b"6"


async def test_failures_have_the_fields_too() -> None:
    async def failing(_: Request) -> Response:
        raise NoServer("nobody there")

    context = BuildContext("limit@file", shared=Shared.create(1))
    handler = build(Options(average=10, period=60.0, headers=True), context)(failing)
    with pytest.raises(NoServer) as raised:
        await handler(request())
    assert raised.value.amend is not None
    assert raised.value.amend(Headers()).first(b"ratelimit") == b'"limit@file";r=0;t=6'


async def test_places_in_the_line_are_left_too() -> None:
    route = Route(average=10, period=0.5, burst=3, delay=0, headers=True)
    answers = await asyncio.gather(*(route.ask() for _ in range(3)))
    left = [answer.headers.first(b"ratelimit") for answer in answers]
    assert left == [b'"limit@file";r=%d;t=1' % count for count in (2, 1, 0)]


async def test_fields_are_quoted_whatever_the_name() -> None:
    context = BuildContext('a"b\\c\xe9', shared=Shared.create(1))
    answer = await build(Options(average=3, period=0.5, headers=True), context)(Seen())(request())
    assert answer.headers.first(b"ratelimit-policy") == b'"a-b-c-";q=6;w=1'


async def test_there_are_no_fields_unless_told() -> None:
    route = Route(average=1, period=60.0)
    for _ in range(2):
        assert not (await route.ask()).headers.has(b"ratelimit")


# Several limits.

HOUR: Any = {"average": 1, "period": 3600.0, "no_delay": True}


class Two:
    """A route with two limits, and the outer one alone on another."""

    def __init__(self, *, as_traefik: bool = False, **inner: Any) -> None:
        shared = Shared.create(1)
        contexts = [
            BuildContext(name, shared=shared, as_traefik=as_traefik) for name in ("out", "in")
        ]
        outer = build(Options(**HOUR, burst=6, shared=True, headers=True), contexts[0])
        self.both = outer(build(Options(**inner), contexts[1])(Seen()))
        self.alone = outer(Seen())


async def statuses(handler: Handler, count: int) -> list[int]:
    return [(await handler(request())).status for _ in range(count)]


async def test_a_request_that_one_limit_refuses_counts_for_none() -> None:
    two = Two(**HOUR, burst=2)
    assert await statuses(two.both, 6) == [200] * 2 + [429] * 4
    assert await statuses(two.alone, 6) == [200] * 4 + [429] * 2


async def test_in_traefik_it_counts() -> None:
    two = Two(**HOUR, burst=2, as_traefik=True)
    assert await statuses(two.both, 6) == [200] * 2 + [429] * 4
    assert await statuses(two.alone, 1) == [429]


async def test_every_limit_shows_its_fields() -> None:
    two = Two(**HOUR, burst=2, headers=True)
    answer = await two.both(request())
    policies = answer.headers.all(b"ratelimit-policy")
    assert [policy.split(b";")[0] for policy in policies] == [b'"out"', b'"in"']


async def test_a_request_waits_for_the_longest_once() -> None:
    shared = Shared.create(1)
    handler: Handler = Seen()
    for average in (10, 20):
        options = Options(average=average, burst=2, delay=0)
        handler = build(options, BuildContext(f"{average}", shared=shared))(handler)
    began = time.monotonic()
    answers = await asyncio.gather(handler(request()), handler(request()))
    assert [answer.status for answer in answers] == [200, 200]
    assert 0.099 <= time.monotonic() - began < 0.145


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"average": 1, "period": -1.0}, "period: -1s is negative"),
        (
            {"average": 1, "source_criterion": SourceCriterion(IPStrategy(), "X")},
            "mutually exclusive",
        ),
        ({"average": 1, "burst": 2, "delay": 2}, "delay: 2 is not between 0 and 1"),
        ({"average": 1, "delay": -1}, "delay: -1 is not between 0 and 0"),
        ({"average": 1, "delay": 0, "no_delay": True}, "exclude each other"),
        ({"average": 1, "status_code": 200}, "statusCode: 200"),
    ],
)
def test_mistakes(options: Any, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(Options(**options), BuildContext("m"))
