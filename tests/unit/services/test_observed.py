"""Servers at rest, backups, requests under way."""

import asyncio

import pytest

from edgerouter.http.errors import ConnectFailed, NoServer, ResponseTimeout
from edgerouter.http.message import Request, Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences, Health, Server
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Streamed, Upstream, servers

PASSIVE = {"passiveHealthCheck": {"failureWindow": 0.05, "maxFailedAttempts": 2}}


def balancer(
    upstreams: list[Upstream], health: Health | None = None, **options: object
) -> LoadBalancer:
    return LoadBalancer("s@file", servers(upstreams), Fences(), options, health)


async def test_a_server_rests_after_failures_in_a_row() -> None:
    bad, good = Upstream(status=500), Upstream()
    service = balancer([bad, good], **PASSIVE)
    for _ in range(10):
        await service(request())
    assert (bad.asked, good.asked) == (2, 8)
    bad.status = 200
    await asyncio.sleep(0.06)
    for _ in range(4):
        await service(request())
    assert bad.asked == 4


async def test_a_success_forgives() -> None:
    upstream = Upstream()
    service = balancer([upstream], **PASSIVE)
    for status in (500, 200, 500, 200, 500):
        upstream.status = status
        assert (await service(request())).status == status
    upstream.status = 500
    await service(request())
    with pytest.raises(NoServer):
        await service(request())


async def test_no_answer_is_a_failure() -> None:
    upstream = Upstream(error=ResponseTimeout("slow"))
    service = balancer([upstream], **PASSIVE)
    for _ in range(2):
        with pytest.raises(ResponseTimeout):
            await service(request())
    assert not service.is_up()


async def test_nginx_never_puts_the_last_to_rest() -> None:
    bad, good = Upstream(status=502), Upstream()
    service = balancer([bad, good], maxFails=1, failTimeout=30.0)
    for _ in range(4):
        await service(request())
    assert (bad.asked, good.asked) == (1, 3)
    good.status = 502
    for _ in range(4):
        assert (await service(request())).status == 502
    assert good.asked >= 5


OUTLIERS = {
    "outlierDetection": {"consecutive5xx": 2, "baseEjectionTime": 0.03, "maxEjectionPercent": 50}
}


async def test_outliers_rest_but_never_more_than_their_share() -> None:
    upstreams = [Upstream(status=503), Upstream(status=503), Upstream(status=503), Upstream()]
    service = balancer(upstreams, **OUTLIERS)
    for _ in range(40):
        await service(request())
    assert sum(server.state.out for server in service.servers) == 2
    alone = balancer([Upstream(status=503)], **OUTLIERS)
    for _ in range(2):
        await alone(request())
    assert alone.is_up(), "the last server never rests"
    assert not alone.servers[0].state.out


async def test_outliers_are_counted_with_servers_that_are_away() -> None:
    health = Health()
    names = {name: f"http://s{number}" for number, name in enumerate("abcd")}
    upstreams = [Upstream(name, status=503) for name in names]
    service = LoadBalancer("s@file", servers(upstreams), Fences(), OUTLIERS, health)
    health.replace({"s@file": frozenset([names["a"], names["b"]])})
    for _ in range(40):
        await service(request())
    assert sum(server.state.out for server in service.servers) == 1, "one may always rest"
    health.replace({"s@file": frozenset([names["a"], names["b"], names["c"], names["d"]])})
    assert not service.is_up()
    health.replace({"s@file": frozenset([names["a"], names["b"], names["c"]])})
    assert service.is_up(), "a server at rest is asked when all others are down"


@pytest.mark.parametrize(("percent", "resting"), [(0, 1), (25, 1), (50, 2), (100, 3)])
async def test_shares_of_outliers(percent: int, resting: int) -> None:
    outliers = {"outlierDetection": {"consecutive5xx": 2, "maxEjectionPercent": percent}}
    service = balancer([Upstream(status=503) for _ in range(4)], **outliers)
    for _ in range(40):
        await service(request())
    assert sum(server.state.out for server in service.servers) == resting


async def test_failures_spare_the_last_server_over_all_reasons() -> None:
    fences = Fences()
    upstreams = [Upstream(status=503), Upstream(status=503)]
    service = LoadBalancer("s@file", servers(upstreams), fences, {"maxFails": 1})
    fences.urls = frozenset(["http://s0"])
    for _ in range(5):
        assert (await service(request())).status == 503
    assert not service.servers[1].state.out


async def test_outliers_rest_longer_each_time() -> None:
    bad, good = Upstream(status=500), Upstream()
    service = balancer([bad, good], **OUTLIERS)
    state = service.servers[0].state
    rests = []
    for _ in range(3):
        while not state.out:
            await service(request())
        start = asyncio.get_running_loop().time()
        while state.out:
            await asyncio.sleep(0.002)
        rests.append(asyncio.get_running_loop().time() - start)
    assert rests[0] < 0.05 < rests[1] < 0.085 < rests[2]


RATES = {
    "outlierDetection": {
        "consecutive5xx": 1000,
        "interval": 0.0001,
        "successRateRequestVolume": 10,
        "maxEjectionPercent": 20,
    }
}


class Flaky(Upstream):
    """Fails once in so many requests."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every

    async def __call__(self, asked: Request) -> Response:
        response = await super().__call__(asked)
        response.status = 500 if self.asked % self._every == 0 else 200
        return response


async def compare(service: LoadBalancer, count: int) -> list[str]:
    """Let every server have ``count`` requests in one interval; return who rests then."""
    rates = service.servers[0].forward._rates  # type: ignore[attr-defined]
    rates._interval = 60.0
    for _ in range(count * len(service.servers)):
        await service(request())
    rates._interval = 0.0
    await service(request())
    return [server.url for server in service.servers if server.state.out]


async def test_who_fails_more_often_than_the_others_is_an_outlier() -> None:
    upstreams: list[Upstream] = [*(Flaky(10) for _ in range(5)), Flaky(2)]
    assert await compare(balancer(upstreams, **RATES), 20) == ["http://s5"]
    upstreams = [Flaky(3) for _ in range(6)]
    assert await compare(balancer(upstreams, **RATES), 21) == [], "all fail alike"


async def test_few_servers_or_requests_say_nothing() -> None:
    upstreams: list[Upstream] = [*(Flaky(10) for _ in range(3)), Flaky(2)]
    assert await compare(balancer(upstreams, **RATES), 20) == []
    upstreams = [*(Flaky(10) for _ in range(5)), Flaky(2)]
    assert await compare(balancer(upstreams, **RATES), 8) == []


async def test_what_is_known_outlives_the_service() -> None:
    upstream = Upstream(status=500)
    old = balancer([upstream], **PASSIVE)
    for _ in range(2):
        await old(request())
    kept = Server("http://s0", 1, upstream, state=old.servers[0].state)
    new = LoadBalancer("s@file", [kept], Fences(), PASSIVE)
    assert not new.is_up()
    await asyncio.sleep(0.06)
    assert new.is_up()


async def test_backups_wait_for_the_others_to_fail() -> None:
    upstreams = [Upstream(), Upstream(), Upstream()]
    made = servers(upstreams)
    made[2].backup = True
    health = Health()
    service = LoadBalancer("s@file", made, Fences(), {}, health)
    for _ in range(4):
        await service(request())
    assert [each.asked for each in upstreams] == [2, 2, 0]
    health.replace({"s@file": frozenset(["http://s0", "http://s1"])})
    await service(request())
    assert upstreams[2].asked == 1
    health.replace({"other@file": frozenset(["http://s0"])})
    upstreams[0].error = upstreams[1].error = ConnectFailed("refused")
    await service(request())
    assert upstreams[2].asked == 2, "a backup takes what the others refuse"


async def test_health_takes_servers_out_and_back() -> None:
    upstreams = [Upstream(), Upstream()]
    health = Health()
    service = balancer(upstreams, health)
    health.replace({"s@file": frozenset(["http://s0", "http://s1"])})
    assert not service.is_up()
    with pytest.raises(NoServer):
        await service(request())
    health.replace({})
    assert service.is_up()
    assert (await service(request())).status == 200


async def test_requests_are_under_way_until_their_answer_is_over() -> None:
    body = Streamed(b"a", b"b")

    class Slow(Upstream):
        async def __call__(self, _request: object) -> Response:
            response = await super().__call__(request())
            response.body = body
            return response

    service = balancer([Slow()], strategy="leastconn")
    response = await service(request())
    state = service.servers[0].state
    assert state.active == 1
    assert [await response.body.read() for _ in range(3)] == [b"a", b"b", b""]
    assert state.active == 0
    response.close()
    assert state.active == 0
    assert body.closed


async def test_a_request_that_fails_is_over() -> None:
    service = balancer([Upstream(error=ResponseTimeout("x"))], strategy="p2c")
    with pytest.raises(ResponseTimeout):
        await service(request())
    assert service.servers[0].state.active == 0
