"""Services that hold requests since they lost their last server, and repeat idempotent ones."""

import asyncio

import pytest

from edgerouter.http.errors import ConnectFailed, ExchangeError, NoServer, UpstreamReset
from edgerouter.http.message import Request, Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences
from edgerouter.services.waiting import MAX_REPEATS, Hall
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream, servers

FENCED = frozenset(["http://s0"])
HOLD = 0.1


def holding(
    hall: Hall, upstreams: list[Upstream], fences: Fences, hold: float = HOLD
) -> LoadBalancer:
    room = hall.room("s@docker", 0.0, 10, hold)
    service = LoadBalancer("s@docker", servers(upstreams), fences, {}, room=room)
    room.current = service
    return service


class Dying(Upstream):
    """Goes away while it has a request, the first ``times`` times."""

    def __init__(self, times: int, error: ExchangeError | None = None) -> None:
        super().__init__()
        self._times = times
        self._error = error or UpstreamReset("gone")

    async def __call__(self, request: Request) -> Response:
        self.error = self._error if self.asked < self._times else None
        return await super().__call__(request)


async def test_requests_wait_for_the_next_server() -> None:
    fences = Fences()
    service = holding(Hall(), [Upstream()], fences, hold=5)
    fences.urls = FENCED
    tasks = [asyncio.ensure_future(service(request(method=m))) for m in ("GET", "POST")]
    await asyncio.sleep(0)
    fences.urls = frozenset()
    assert [(await task).status for task in tasks] == [200, 200]


async def test_the_time_counts_from_the_loss_not_from_the_request() -> None:
    hall, fences = Hall(), Fences()
    service = holding(hall, [Upstream()], fences)
    fences.urls = FENCED
    loop = asyncio.get_running_loop()
    await asyncio.sleep(HOLD / 2)
    began = loop.time()
    with pytest.raises(NoServer):
        await service(request())
    assert loop.time() - began < HOLD * 0.9
    empty = holding(hall, [], fences)  # A change does not begin it anew.
    began = loop.time()
    with pytest.raises(NoServer):
        await empty(request())
    assert loop.time() - began < HOLD / 2


async def test_a_server_that_was_there_again_begins_it_anew() -> None:
    fences = Fences()
    service = holding(Hall(), [Upstream()], fences)
    for urls in (FENCED, frozenset[str](), FENCED):
        fences.urls = urls
        await asyncio.sleep(HOLD * 0.7)
    waits = asyncio.ensure_future(service(request()))
    await asyncio.sleep(0)
    fences.urls = frozenset()
    assert (await waits).status == 200


async def test_servers_that_refuse_are_asked_until_the_time_is_over() -> None:
    upstream = Upstream(error=ConnectFailed("refused"))
    service = holding(Hall(), [upstream], Fences())
    with pytest.raises(ConnectFailed):
        await service(request())
    asked = upstream.asked
    assert asked >= 2
    with pytest.raises(ConnectFailed):
        await service(request())
    assert upstream.asked == asked + 1, "it has refused for long enough: no more waiting"


async def test_an_idempotent_request_goes_to_another_server() -> None:
    dying, living = Dying(9), Upstream()
    service = holding(Hall(), [dying, living], Fences())
    answers = [await service(request()) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert dying.asked
    assert living.asked == 4


async def test_an_idempotent_request_waits_for_the_only_server() -> None:
    dying = Dying(1)
    service = holding(Hall(), [dying], Fences(), hold=5)
    assert (await service(request())).status == 200
    assert dying.asked == 2


async def test_a_request_that_kills_servers_is_not_sent_for_ever() -> None:
    for count in (1, 2, 6):
        upstreams: list[Upstream] = [Dying(9) for _ in range(count)]
        service = holding(Hall(), upstreams, Fences(), hold=5)
        with pytest.raises(UpstreamReset):
            await service(request())
        assert sum(upstream.asked for upstream in upstreams) == 1 + MAX_REPEATS


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_may_change_something_is_sent_once(method: str) -> None:
    dying, living = Dying(9), Dying(9)
    service = holding(Hall(), [dying, living], Fences(), hold=5)
    with pytest.raises(UpstreamReset):
        await service(request(method=method))
    assert dying.asked + living.asked == 1


async def test_nothing_is_repeated_without_hold() -> None:
    upstreams: list[Upstream] = [Dying(9), Dying(9)]
    service = LoadBalancer("s@file", servers(upstreams), Fences(), {})
    with pytest.raises(UpstreamReset):
        await service(request())
    assert sum(upstream.asked for upstream in upstreams) == 1
