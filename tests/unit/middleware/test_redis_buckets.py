"""rateLimit with Redis: a real server, several routers, and no server at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgerouter.http.handler import Handler
from edgerouter.middleware import redis_buckets
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.client_tls import ClientTLS
from edgerouter.middleware.rate_limit import Options, build
from edgerouter.middleware.redis_buckets import BucketUnavailable, Redis, RedisBuckets
from tests.support.redis_server import RedisServer, redis_server, require_redis
from tests.support.router_process import free_ports
from tests.unit.middleware.exchange import Seen, request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    require_redis()
    with redis_server(tmp_path) as running:
        yield running


@pytest.fixture
async def close() -> AsyncIterator[list[RedisBuckets]]:
    """Close what is put into the list."""
    opened: list[RedisBuckets] = []
    yield opened
    for buckets in opened:
        await buckets.close()


async def test_two_routers_share_a_bucket(server: RedisServer, close: list[RedisBuckets]) -> None:
    # Other pool sizes make other clients, as in other processes.
    options = Redis(endpoints=(server.endpoint,))
    routers = [RedisBuckets(replace(options, pool_size=size)) for size in (2, 3)]
    close += routers
    takes = [routers[turn % 2].take("rate:m:a", 0.01, 50.0, 0.0) for turn in range(100)]
    waits = [wait for wait, _ in await asyncio.gather(*takes)]
    assert sum(wait == 0.0 for wait in waits) == 50
    assert max(waits) == pytest.approx(100.0, abs=1.0)
    assert int(server.cli("ttl", "rate:m:a")) == pytest.approx(5002, abs=2)


async def test_a_token_that_comes_soon_is_taken_beforehand(
    server: RedisServer, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    waits = [(await buckets.take("k", 0.01, 1.0, 150.0))[0] for _ in range(4)]
    assert waits == pytest.approx([0.0, 100.0, 200.0, 200.0], abs=1.0)


async def test_the_record_is_traefiks(server: RedisServer, close: list[RedisBuckets]) -> None:
    now = int(time.time() * 1e6)
    server.cli("hset", "rate:m:a", "last", str(now), "tokens", "1.5")
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    assert (await buckets.take("rate:m:a", 0.001, 5.0, 0.0))[0] == 0.0
    assert (await buckets.take("rate:m:a", 0.001, 5.0, 0.0))[0] == pytest.approx(500, rel=0.01)
    last, tokens = server.cli("hmget", "rate:m:a", "last", "tokens").split()
    assert int(last) == pytest.approx(now, abs=10e6)
    assert float(tokens) == pytest.approx(0.5, abs=0.05)


async def test_a_server_with_a_password_and_databases(tmp_path: Path, server: RedisServer) -> None:
    del server  # Skips without one.
    with redis_server(tmp_path, "--requirepass", "secret") as locked:
        options = Redis(endpoints=(locked.endpoint,), password="secret", db=3)
        buckets = RedisBuckets(options)
        assert (await buckets.take("k", 1.0, 1.0, 0.0))[0] == 0.0
        await buckets.close()
        refused = RedisBuckets(replace(options, password=""))
        with pytest.raises(BucketUnavailable, match=r"(?i)auth"):
            await refused.take("k", 1.0, 1.0, 0.0)
        await refused.close()
        assert locked.cli("-a", "secret", "-n", "3", "exists", "k") == "1"


async def test_a_cluster(tmp_path: Path, server: RedisServer) -> None:
    del server  # Skips without one.
    # Without a port of its own the bus takes the server's and 10000 more, which may be too high.
    (bus,) = free_ports(1)
    with redis_server(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(bus)) as node:
        node.cli("cluster", "addslotsrange", "0", "16383")
        while "cluster_state:ok" not in node.cli("cluster", "info"):
            await asyncio.sleep(0.02)
        buckets = RedisBuckets(Redis(endpoints=(node.endpoint, node.endpoint)))
        waits = [(await buckets.take("k", 0.01, 1.0, 0.0))[0] for _ in range(2)]
        assert waits == pytest.approx([0.0, 100.0], abs=1.0)
        await buckets.close()


def limited(endpoint: str, **options: Any) -> Handler:
    redis = Redis(endpoints=(endpoint,), **options)
    return build(Options(average=1, period=60.0, redis=redis), BuildContext("m@file"))(Seen())


async def test_the_middleware_uses_traefiks_key(server: RedisServer) -> None:
    handler = limited(server.endpoint, pool_size=4)
    assert [(await handler(request())).status for _ in range(2)] == [200, 429]
    assert server.cli("keys", "*") == "rate:m@file:192.0.2.1"
    await RedisBuckets(Redis(endpoints=(server.endpoint,), pool_size=4)).close()


async def test_without_redis_requests_fail_soon_and_work_again(
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    close: list[RedisBuckets],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_buckets, "PAUSE", 0.0)
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,), pool_size=5))
    close.append(buckets)
    assert (await buckets.take("k", 1.0, 5.0, 0.0))[0] == 0.0
    server.stop()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(BucketUnavailable) as failure:
            await buckets.take("k", 1.0, 5.0, 0.0)
        assert (failure.value.status, failure.value.page) == (
            500,
            "Could not insert/update bucket\n",
        )
    assert time.monotonic() - began < 2
    server.start()
    assert (await buckets.take("k", 1.0, 5.0, 0.0))[0] == 0.0
    told = [record.getMessage() for record in caplog.records]
    assert [text.split(":")[1][:20] for text in told] == [
        " Redis cannot be ask",
        " Redis can be asked ",
    ]


async def test_redis_that_failed_is_left_alone_for_a_moment(
    server: RedisServer, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,), pool_size=6))
    close.append(buckets)
    server.stop()
    with pytest.raises(BucketUnavailable):
        await buckets.take("k", 1.0, 5.0, 0.0)
    server.start()
    with pytest.raises(BucketUnavailable, match="a moment ago"):
        await buckets.take("k", 1.0, 5.0, 0.0)


async def test_without_redis_the_limit_holds_for_this_router(server: RedisServer) -> None:
    handler = limited(server.endpoint, pool_size=7)
    server.stop()
    asked = [request(headers=[(b"X", b"y")]) for _ in range(3)]
    assert [(await handler(each)).status for each in asked] == [200, 429, 429]
    await RedisBuckets(Redis(endpoints=(server.endpoint,), pool_size=7)).close()


async def test_without_redis_requests_fail_as_in_traefik(server: RedisServer) -> None:
    redis = Redis(endpoints=(server.endpoint,), pool_size=8)
    context = BuildContext("m@file", as_traefik=True)
    handler = build(Options(average=1, period=60.0, redis=redis), context)(Seen())
    server.stop()
    with pytest.raises(BucketUnavailable):
        await handler(request())
    await RedisBuckets(redis).close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"endpoints": ()}, "endpoints: must not be empty"),
        ({"endpoints": ("localhost",)}, '"localhost" is not host:port'),
        ({"endpoints": ("localhost:99999",)}, "is not host:port"),
        ({"tls": ClientTLS(ca="/no/such/file")}, "tls.ca: there is no file /no/such/file"),
        ({"tls": ClientTLS(cert="x")}, "cert and key belong together"),
    ],
)
def test_mistakes(options: Any, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        RedisBuckets(Redis(**options))


def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(BuildError, match=r"pip install .edgerouter\[redis\]"):
        RedisBuckets(Redis(pool_size=6))
