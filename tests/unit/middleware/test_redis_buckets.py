"""rateLimit with Redis: a real server, several routers, and no server at all."""

import asyncio
import gc
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
from edgerouter.middleware.redis_buckets import BucketUnavailable, RedisBuckets, buckets_of
from edgerouter.middleware.redis_client import Redis
from edgerouter.shared.memory import Shared
from tests.support.authority import Authority
from tests.support.redis_server import RedisServer, redis_server, require_redis
from tests.support.router_process import free_ports
from tests.unit.middleware.exchange import Seen, request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    require_redis()
    with redis_server(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine the time that it needs."""
    monkeypatch.setattr(redis_buckets, "PATIENCE", 20.0)


@pytest.fixture
async def close() -> AsyncIterator[list[RedisBuckets]]:
    """Close what is put into the list."""
    opened: list[RedisBuckets] = []
    yield opened
    for buckets in opened:
        await buckets.close()


async def test_two_routers_share_a_bucket(server: RedisServer, close: list[RedisBuckets]) -> None:
    routers = [RedisBuckets(Redis(endpoints=(server.endpoint,))) for _ in range(2)]
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


def limited(endpoint: str) -> Handler:
    redis = Redis(endpoints=(endpoint,))
    return build(Options(average=1, period=60.0, redis=redis), BuildContext("m@file"))(Seen())


async def test_the_middleware_uses_traefiks_key(server: RedisServer) -> None:
    handler = limited(server.endpoint)
    assert [(await handler(request())).status for _ in range(2)] == [200, 429]
    assert server.cli("keys", "*") == "rate:m@file:192.0.2.1"
    await buckets_of(Redis(endpoints=(server.endpoint,))).close()


async def test_a_slow_limit_with_a_large_burst_is_shared_too(
    server: RedisServer, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    century = 100 * 365 * 86400
    wait, left = await buckets.take("k", 1 / century, 9e18, 0.0)
    assert wait == 0.0
    assert left == pytest.approx(9e18)
    assert int(server.cli("ttl", "k")) > century


async def test_a_request_that_another_limit_refuses_gives_its_token_back(
    server: RedisServer,
) -> None:
    redis = Redis(endpoints=(server.endpoint,))
    shared = Shared.create(1)
    hour: Any = {"average": 1, "period": 3600.0, "no_delay": True}
    outer = build(Options(**hour, burst=3, redis=redis), BuildContext("outer", shared=shared))
    inner = build(Options(**hour), BuildContext("inner", shared=shared))
    both, alone = outer(inner(Seen())), outer(Seen())
    assert [(await both(request())).status for _ in range(4)] == [200, 429, 429, 429]
    assert [(await alone(request())).status for _ in range(3)] == [200, 200, 429]
    await buckets_of(redis).close()


# Without an answer.


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask Redis again as soon as it did not answer."""
    monkeypatch.setattr(redis_buckets, "PAUSE", 0.0)


async def probe(buckets: RedisBuckets) -> None:
    """Have a request ask Redis again in the background, and wait for that."""
    with pytest.raises(BucketUnavailable):
        await buckets.take("k", 1.0, 5.0, 0.0)
    assert buckets._probe is not None
    await buckets._probe


@pytest.mark.usefixtures("hurried")
async def test_redis_that_is_away_costs_no_time_and_is_used_again(
    server: RedisServer, caplog: pytest.LogCaptureFixture, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    assert (await buckets.take("k", 1.0, 5.0, 0.0))[0] == 0.0
    server.stop()
    with pytest.raises(BucketUnavailable) as failure:
        await buckets.take("k", 1.0, 5.0, 0.0)
    answer = (failure.value.status, failure.value.page)
    assert answer == (500, "Could not insert/update bucket\n")
    await probe(buckets)
    assert buckets.is_out
    server.start()
    await probe(buckets)
    assert (await buckets.take("k", 1.0, 5.0, 0.0))[0] == 0.0
    told = [record.getMessage().split(":")[1] for record in caplog.records]
    assert told == [" Redis cannot be asked", " Redis can be asked again"]


async def test_every_request_waits_in_traefik(
    server: RedisServer, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,), read_timeout=1.3), as_traefik=True)
    close.append(buckets)
    await buckets.take("k", 1.0, 500.0, 0.0)
    server.hang()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(BucketUnavailable):
            await buckets.take("k", 1.0, 500.0, 0.0)
        assert time.monotonic() - began > 1.2
    server.go_on()
    await buckets.take("k", 1.0, 500.0, 0.0)
    assert not buckets.is_out


@pytest.mark.usefixtures("hurried")
async def test_redis_that_hangs_is_waited_for_once(
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    close: list[RedisBuckets],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    assert (await buckets.take("k", 1.0, 500.0, 0.0))[0] == 0.0
    monkeypatch.setattr(redis_buckets, "PATIENCE", 1.0)
    server.hang()
    began = time.monotonic()
    first = [buckets.take("k", 1.0, 500.0, 0.0) for _ in range(50)]
    failed = await asyncio.gather(*first, return_exceptions=True)
    assert {type(each) for each in failed} == {BucketUnavailable}
    assert 1.0 <= time.monotonic() - began < 2.5
    assert "no answer within 1 s" in caplog.text
    await probe(buckets)
    began = time.monotonic()
    for _ in range(200):  # One of them asks again, none waits.
        with pytest.raises(BucketUnavailable, match="a moment ago"):
            await buckets.take("k", 1.0, 500.0, 0.0)
    assert time.monotonic() - began < 1.0
    server.go_on()
    await asyncio.gather(*buckets._commands, return_exceptions=True)
    if buckets.is_out:  # Redis may have cut those connections.
        await probe(buckets)
    assert (await buckets.take("k", 1.0, 500.0, 0.0))[0] == 0.0


async def test_redis_that_failed_is_left_alone_for_a_moment(
    server: RedisServer, close: list[RedisBuckets]
) -> None:
    buckets = RedisBuckets(Redis(endpoints=(server.endpoint,)))
    close.append(buckets)
    server.stop()
    for _ in range(2):
        with pytest.raises(BucketUnavailable):
            await buckets.take("k", 1.0, 5.0, 0.0)
    assert buckets._probe is None


async def test_without_redis_the_limit_holds_for_this_router(server: RedisServer) -> None:
    handler = limited(server.endpoint)
    server.stop()
    asked = [request(headers=[(b"X", b"y")]) for _ in range(3)]
    assert [(await handler(each)).status for each in asked] == [200, 429, 429]
    await buckets_of(Redis(endpoints=(server.endpoint,))).close()


async def test_without_redis_requests_fail_as_in_traefik(server: RedisServer) -> None:
    redis = Redis(endpoints=(server.endpoint,))
    context = BuildContext("m@file", as_traefik=True)
    handler = build(Options(average=1, period=60.0, redis=redis), context)(Seen())
    server.stop()
    with pytest.raises(BucketUnavailable):
        await handler(request())
    await buckets_of(redis).close()


# TLS.


@pytest.mark.parametrize("as_text", [True, False])
async def test_tls_with_files_and_with_text(
    tmp_path: Path, server: RedisServer, as_text: bool
) -> None:
    del server  # Skips without one.
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    (port,) = free_ports(1)
    files = {
        "tls-cert-file": pair.certificate,
        "tls-key-file": pair.key,
        "tls-ca-cert-file": authority.certificate,
    }
    flags = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    certificate, key, ca = [
        path.read_text() if as_text else str(path)
        for path in (pair.certificate, pair.key, authority.certificate)
    ]
    with redis_server(tmp_path, "--tls-port", str(port), "--tls-auth-clients", "yes", *flags):
        options = Redis(
            endpoints=(f"localhost:{port}",), tls=ClientTLS(ca=ca, cert=certificate, key=key)
        )
        buckets = RedisBuckets(options)
        waits = [(await buckets.take("k", 0.01, 1.0, 0.0))[0] for _ in range(2)]
        assert waits == pytest.approx([0.0, 100.0], abs=1.0)
        await buckets.close()
        refused = RedisBuckets(replace(options, tls=ClientTLS(ca=ca)))
        with pytest.raises(BucketUnavailable):
            await refused.take("k", 1.0, 1.0, 0.0)
        await refused.close()


def test_text_in_memory_goes_with_the_client(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("localhost")
    texts = ClientTLS(cert=pair.certificate.read_text(), key=pair.key.read_text())
    gc.collect()  # What other tests left must not go in between.
    before = set(Path("/proc/self/fd").iterdir())
    buckets = RedisBuckets(Redis(tls=texts))
    assert len(set(Path("/proc/self/fd").iterdir()) - before) == 2
    del buckets
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) <= before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"endpoints": ()}, "endpoints: must not be empty"),
        ({"endpoints": ("localhost",)}, '"localhost" is not host:port'),
        ({"endpoints": ("localhost:99999",)}, "is not host:port"),
        (
            {"endpoints": ("redis://:geheim@h:6379",)},
            'endpoints: "redis://h:6379" is not host:port',
        ),
        ({"endpoints": ("h:1" + "0" * 5000,)}, "is not host:port"),
        ({"db": -1}, "redis.db: -1 is negative"),
        ({"pool_size": -1}, "redis.poolSize: -1 is negative"),
        ({"max_active_conns": -1}, "redis.maxActiveConns: -1 is negative"),
        ({"tls": ClientTLS(ca="/no/such/file")}, "tls.ca: there is no file /no/such/file"),
        ({"tls": ClientTLS(ca="x" * 5000)}, "tls.ca: there is no file xxx"),
        ({"tls": ClientTLS(ca="x\0y")}, "tls.ca: there is no file x"),
        ({"tls": ClientTLS(cert="x")}, "cert and key belong together"),
        (
            {"tls": ClientTLS(cert="-----BEGIN NONSENSE-----", key="-----BEGIN NONSENSE-----")},
            "redis.tls.cert and key cannot be used",
        ),
        ({"tls": ClientTLS(ca="-----BEGIN NONSENSE-----")}, "redis.tls.ca cannot be used"),
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
