"""Limits per server, the line in front of them, and slow starts."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from edgerouter.http.errors import ConnectFailed, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services import load_balancer
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.queueing import QueueFull
from edgerouter.services.server import Fences
from edgerouter.shared.memory import Shared
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream, servers


class Busy(Upstream):
    """Answers one request each time it is told to; notes how many came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go: asyncio.Queue[None] = asyncio.Queue()
        self.active = self.most = 0
        self.order: list[str] = []

    async def __call__(self, asked: Request) -> Response:
        self.order.append(asked.path)
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await self.go.get()
            return await super().__call__(asked)
        finally:
            self.active -= 1

    def release(self, count: int = 1) -> None:
        for _ in range(count):
            self.go.put_nowait(None)


def limited(
    upstreams: list[Any],
    fences: Fences | None = None,
    shared: Shared | None = None,
    **options: Any,
) -> LoadBalancer:
    counts = (shared or Shared.create(1)).in_flight
    return LoadBalancer("s@file", servers(upstreams), fences or Fences(), options, counts=counts)


def workers(count: int) -> list[Shared]:
    """The same memory as each of several workers sees it."""
    first = Shared.create(count)
    return [first, *(Shared(first.descriptor, count, worker) for worker in range(1, count))]


def start(service: LoadBalancer, path: str = "/", priority: bytes = b"") -> "asyncio.Task[Any]":
    headers = [(b"Priority", priority)] if priority else []

    async def ask() -> Response:
        return await service(request(path, headers=headers))

    return asyncio.get_running_loop().create_task(ask())


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_server_gets_more_than_its_limit() -> None:
    upstreams = [Busy(), Busy()]
    service = limited(upstreams, maxConnections=2)
    tasks = [start(service) for _ in range(10)]
    await settled()
    assert [each.active for each in upstreams] == [2, 2]
    for each in upstreams:
        each.release(10)
    assert [(await task).status for task in tasks] == [200] * 10
    assert [each.most for each in upstreams] == [2, 2]


WAYS: list[dict[str, Any]] = [
    {},
    {"strategy": "p2c"},
    {"strategy": "hrw"},
    {"strategy": "leasttime"},
    {"strategy": "leastconn"},
    {"strategy": "iphash"},
    {"strategy": "headerhash", "hashHeader": "Priority"},
    {"sticky": {"cookie": {"name": "s"}}},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.get("strategy") or "".join(way))
async def test_every_way_to_choose_keeps_the_limit(way: dict[str, Any]) -> None:
    """Also with a server without weight, and clients that go away."""
    upstreams = [Busy(), Busy(), Busy()]
    shared = Shared.create(1)
    made = servers(upstreams, (1, 3, 0))
    options = {"maxConnections": 2, **way}
    service = LoadBalancer("s@file", made, Fences(), options, counts=shared.in_flight)
    tasks = [start(service) for _ in range(12)]
    await settled()
    assert [each.active for each in upstreams] == [2, 2, 0]
    tasks[0].cancel()
    tasks[11].cancel()
    await settled()
    assert [each.active for each in upstreams] == [2, 2, 0], "the next one has the place"
    for upstream in upstreams[:2]:
        upstream.release(12)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, Response) for answer in answers) == 10
    assert [each.most for each in upstreams] == [2, 2, 0]
    assert [server.state.active for server in made] == [0, 0, 0]
    keys = [f"server s@file {server.url}".encode() for server in made]
    assert [shared.in_flight.count(key) for key in keys] == [0, 0, 0]


async def test_the_limit_holds_over_all_workers() -> None:
    upstream = Busy()
    services = [limited([upstream], shared=each, maxConnections=3) for each in workers(3)]
    tasks = [start(service) for service in services for _ in range(10)]
    await settled()
    assert upstream.active == 3
    upstream.release(30)
    assert [(await task).status for task in tasks] == [200] * 30
    assert upstream.most == 3
    assert workers_use_nothing(services)


async def test_waiting_workers_share_what_becomes_free() -> None:
    upstream = Busy()
    services = [limited([upstream], shared=each, maxConnections=4) for each in workers(2)]
    greedy = [start(services[0], "/greedy") for _ in range(20)]
    await settled()
    late = [start(services[1], "/late") for _ in range(4)]
    await settled()
    for _ in range(12):
        upstream.release()
        await asyncio.sleep(0.01)
    # Without sharing the first worker would have taken every place again: 12 + 4.
    assert upstream.order.count("/late") == 4
    upstream.release(12)
    await asyncio.gather(*greedy, *late)


async def test_one_place_goes_around() -> None:
    upstream = Busy()
    services = [limited([upstream], shared=each, maxConnections=1) for each in workers(2)]
    tasks = [start(service) for service in services for _ in range(3)]
    upstream.release(6)
    async with asyncio.timeout(5):
        assert [(await task).status for task in tasks] == [200] * 6
    assert upstream.most == 1


async def test_a_worker_that_dies_gives_back() -> None:
    upstream, (one, other) = Busy(), workers(2)
    lost = start(limited([upstream], shared=one, maxConnections=1))
    await settled()
    waiting = start(limited([upstream], shared=other, maxConnections=1))
    await settled()
    assert upstream.active == 1
    other.in_flight.forget(0)
    async with asyncio.timeout(5):
        while upstream.active < 2:
            await asyncio.sleep(0.005)
    upstream.release(2)
    assert (await waiting).status == 200
    assert (await lost).status == 200


async def test_a_server_that_fails_leaves_no_place_taken() -> None:
    broken, upstream = Upstream(error=ConnectFailed("x")), Upstream()
    service = limited([broken, upstream], maxConnections=1)
    for _ in range(4):
        assert (await service(request())).status == 200
    assert workers_use_nothing([service])


async def test_a_balancer_that_is_replaced_is_freed() -> None:
    """At once, not by the garbage collector; also with a line and a check of failures."""
    old = limited([Upstream()], maxConnections=1, maxFails=1, strategy="leasttime")
    await old(request())
    gone = weakref.ref(old), weakref.ref(old.servers[0].forward)
    new = LoadBalancer("s@file", servers([Upstream()]), Fences(), {})
    gc.disable()
    try:
        old = new
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
    assert old is new


def workers_use_nothing(services: list[LoadBalancer]) -> bool:
    """Tell whether every place has been given back."""
    found = []
    for service in services:
        assert service._slots is not None
        found += [
            service._slots._counts.count(service._slots._key(server.url))
            for server in service.servers
        ]
        found.append(service._slots._counts.count(service._slots._line))
    return not any(found)


async def test_first_come_first_served() -> None:
    upstream = Busy()
    service = limited([upstream], maxConnections=1)
    tasks = [start(service, f"/{number}", b"u=%d" % (7 - number)) for number in range(5)]
    await settled()
    upstream.release(5)
    await asyncio.gather(*tasks)
    assert upstream.order == ["/0", "/1", "/2", "/3", "/4"]


async def test_the_urgent_go_first_where_they_are_believed() -> None:
    upstream = Busy()
    service = limited([upstream], maxConnections=1, queueByPriority=True)
    tasks = [start(service, "/first")]
    await settled()
    urgencies = (b"u=5", b"i", b"u=0, i", b"u=9", b"i, u=1")
    tasks += [start(service, f"/{urgency.decode()}", urgency) for urgency in urgencies]
    await settled()
    upstream.release(6)
    await asyncio.gather(*tasks)
    assert upstream.order == ["/first", "/u=0, i", "/i, u=1", "/i", "/u=9", "/u=5"]


async def test_the_line_has_a_length() -> None:
    upstream = Busy()
    service = limited([upstream], maxConnections=1, maxQueue=2)
    tasks = [start(service) for _ in range(3)]
    await settled()
    with pytest.raises(QueueFull, match="2 requests wait already"):
        await service(request())
    upstream.release(3)
    await asyncio.gather(*tasks)


async def test_the_line_has_a_time() -> None:
    upstream = Busy()
    service = limited([upstream], maxConnections=1, queueTimeout=0.02)
    first = start(service)
    await settled()
    with pytest.raises(QueueFull, match=r"within 0\.02 s"):
        await service(request())
    upstream.release()
    await first
    last = start(service)
    await settled()
    upstream.release()
    assert (await last).status == 200


async def test_who_leaves_gives_the_turn_to_the_next() -> None:
    upstream = Busy()
    service = limited([upstream], maxConnections=1)
    first, second, third = (start(service, f"/{number}") for number in range(3))
    await settled()
    upstream.release()
    await first
    second.cancel()  # It has been called, but has not gone yet.
    upstream.release()
    assert (await third).status == 200
    await asyncio.gather(second, return_exceptions=True)
    assert "/2" in upstream.order


async def test_nobody_waits_in_line_for_a_service_without_servers() -> None:
    upstream, fences = Busy(), Fences()
    service = limited([upstream], fences, maxConnections=1)
    first, second = start(service), start(service)
    await settled()
    fences.urls = frozenset(["http://s0"])
    with pytest.raises(NoServer):
        await second
    upstream.release()
    await first


async def test_slow_start(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(load_balancer, "monotonic", lambda: now)
    upstreams, fences = [Upstream(), Upstream()], Fences()
    service = limited(upstreams, fences, slowStart=10.0)

    async def share() -> float:
        before = upstreams[0].asked
        for _ in range(400):
            await service(request())
        return (upstreams[0].asked - before) / 400

    assert await share() == 0.5
    fences.urls = frozenset(["http://s0"])
    fences.urls = frozenset()
    assert 0.01 < await share() < 0.17
    now = 105.0
    assert 0.24 < await share() < 0.43, "half of its weight"
    now = 111.0
    assert await share() == 0.5
    fences.urls = frozenset(["http://s1"])
    assert await share() == 1.0


async def test_a_turn_that_comes_with_the_timeout_is_not_lost() -> None:
    """Both in the same round of the event loop: the place goes to whoever waits next."""
    upstream = Busy()
    service = limited([upstream], maxConnections=1, queueTimeout=0.05)
    first = start(service, "/first")
    await settled()
    late = start(service, "/late")
    await settled()
    loop = asyncio.get_running_loop()
    due = loop.time() + 0.05
    while loop.time() < due - 0.01:
        await asyncio.sleep(0.005)
    upstream.release()
    while loop.time() < due + 0.005:  # The loop stands still: timer and turn are due together.
        pass
    await asyncio.gather(first, late, return_exceptions=True)
    upstream.release(2)
    assert (await start(service, "/next")).status == 200
