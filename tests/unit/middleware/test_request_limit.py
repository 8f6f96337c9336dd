"""requestLimit: the modes of nginx, dry runs and header fields."""

import logging
import time
from typing import Any

import pytest

from edgerouter.http.handler import Handler
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.request_limit import Options, build
from edgerouter.shared.memory import Shared
from tests.unit.middleware.exchange import Seen, request

SLOW: Any = {"average": 1, "period": 60.0}


def limited(name: str = "m@docker", shared: Shared | None = None, **options: Any) -> Handler:
    return build(Options(**options), BuildContext(name, shared=shared or Shared.create(1)))(Seen())


async def statuses(handler: Handler, count: int) -> list[int]:
    return [(await handler(request())).status for _ in range(count)]


async def test_without_a_burst_one_passes_at_a_time() -> None:
    assert await statuses(limited(**SLOW), 3) == [200, 429, 429]


async def test_no_delay() -> None:
    assert await statuses(limited(**SLOW, burst=2, no_delay=True), 5) == [200] * 3 + [429] * 2


async def test_what_comes_too_soon_waits_its_turn() -> None:
    handler = limited(average=50, burst=2)
    began = time.monotonic()
    assert await statuses(handler, 3) == [200] * 3
    assert 0.039 <= time.monotonic() - began < 1


async def test_some_pass_at_once_and_some_wait() -> None:
    handler = limited(average=50, burst=3, delay=2)
    began = time.monotonic()
    assert await statuses(handler, 3) == [200] * 3
    at_once = time.monotonic() - began
    assert await statuses(handler, 1) == [200]
    assert time.monotonic() - began >= at_once + 0.005


async def test_a_dry_run_only_tells(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert await statuses(limited(**SLOW, burst=1, dry_run=True), 3) == [200] * 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "delayed by 1m" in told[0] or "delayed by 59." in told[0]
    assert "refused" in told[1]


async def test_fields_tell_what_is_left() -> None:
    handler = limited(average=10, period=60.0, burst=1, no_delay=True)
    first = await handler(request())
    assert first.headers.first(b"ratelimit-policy") == b'"m@docker";q=10;w=60'
    assert first.headers.first(b"ratelimit") == b'"m@docker";r=1;t=6'
    await handler(request())
    refused = await handler(request())
    assert refused.status == 429
    assert refused.headers.first(b"ratelimit") == b'"m@docker";r=0;t=12'
    assert refused.headers.first(b"retry-after") == b"6"
    assert await refused.body.read() == b"Too Many Requests"


async def test_fields_are_quoted_whatever_the_name() -> None:
    answer = await limited('a"b\\c\xe9', average=3, period=0.5)(request())
    assert answer.headers.first(b"ratelimit-policy") == b'"a-b-c-";q=6;w=1'


async def test_fields_can_be_left_out() -> None:
    handler = limited(**SLOW, headers=False)
    for _ in range(2):
        assert not (await handler(request())).headers.has(b"ratelimit")


async def test_two_limits_on_one_route() -> None:
    shared = Shared.create(1)
    options: Any = {**SLOW, "no_delay": True}
    inner = limited("inner@file", shared, **options, burst=9)
    outer = build(Options(**options, burst=1), BuildContext("outer@file", shared=shared))(inner)
    first = await outer(request())
    assert [policy.split(b";")[0] for policy in first.headers.all(b"ratelimit-policy")] == [
        b'"inner@file"',
        b'"outer@file"',
    ]
    assert await statuses(outer, 2) == [200, 429]


async def test_another_status() -> None:
    assert await statuses(limited(**SLOW, status_code=503), 2) == [200, 503]


async def test_all_routers_count_together() -> None:
    handler = limited(**SLOW)
    sent = request()
    sent.exchange.router = "other@file"
    assert (await handler(request())).status == 200
    assert (await handler(sent)).status == 429


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "average: must be above 0"),
        ({"average": 1, "period": 0.0}, "period: 0s is not above 0"),
        ({"average": 1, "burst": -1}, "burst: -1"),
        ({"average": 1, "burst": 1, "delay": 2}, "delay: 2 is not between 0 and the burst, 1"),
        ({"average": 1, "burst": 1, "delay": 1, "no_delay": True}, "exclude each other"),
        ({"average": 1, "status_code": 200}, "statusCode: 200"),
    ],
)
def test_mistakes(options: Any, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(Options(**options), BuildContext("m"))
