"""Limits per server, the line in front of them, and slow starts."""

import asyncio
from typing import Any

import pytest

from edgerouter.http.errors import NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services import load_balancer
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.queueing import QueueFull
from edgerouter.services.server import Fences
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


def limited(upstreams: list[Any], fences: Fences | None = None, **options: Any) -> LoadBalancer:
    return LoadBalancer("s@file", servers(upstreams), fences or Fences(), options)


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
