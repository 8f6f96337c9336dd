"""Lines in front of servers while services change and servers refuse."""

import asyncio
from typing import Any

import pytest

from edgerouter.http.errors import ConnectFailed, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.queueing import QueueFull
from edgerouter.services.server import Fences, Server, ServerState
from edgerouter.shared.memory import Shared
from tests.support import virtual_time
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream
from tests.unit.services.test_queueing import Busy, settled

A, B, C = "http://a", "http://b", "http://c"


class Refusing(Busy):
    """Takes its time, then refuses."""

    async def __call__(self, asked: Request) -> Response:
        self.error = ConnectFailed("refused")
        return await super().__call__(asked)


class Changing:
    """A service with limits in one worker, which changes."""

    def __init__(self) -> None:
        self.counts = Shared.create(1).in_flight
        self.fences = Fences()
        self.service: LoadBalancer | None = None
        self._states: dict[str, ServerState] = {}

    def change(self, upstreams: dict[str, Any], **options: Any) -> LoadBalancer:
        """Replace the service as ``ServiceBuilder`` does; return it."""
        former = self.service
        made = [
            Server(url, 1, upstream, state=self._states.setdefault(url, ServerState()))
            for url, upstream in upstreams.items()
        ]
        queue = former.queue if former is not None else None
        self.service = LoadBalancer(
            "s@file", made, self.fences, options, counts=self.counts, queue=queue
        )
        return self.service

    def ask(
        self, count: int = 1, path: str = "/", priority: bytes = b"u=3"
    ) -> "list[asyncio.Task[Response]]":
        async def ask() -> Response:
            assert self.service is not None
            return await self.service(request(path, headers=[(b"Priority", priority)]))

        return [asyncio.get_running_loop().create_task(ask()) for _ in range(count)]

    def is_idle(self) -> bool:
        """Tell whether every place has been given back and nobody stands in line."""
        keys = [f"server s@file {url}".encode() for url in (A, B, C)]
        counts = [self.counts.count(key) for key in (*keys, b"line s@file")]
        return not any(counts) and not any(state.active for state in self._states.values())


async def statuses(tasks: "list[asyncio.Task[Response]]") -> list[int]:
    async with asyncio.timeout(10):
        return [(await task).status for task in tasks]


async def test_a_raised_limit_counts_for_those_who_wait() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(4)
    await settled()
    assert busy.active == 1
    changing.change({A: busy}, maxConnections=3)
    await settled()
    assert busy.active == 3
    busy.release(4)
    assert await statuses(tasks) == [200] * 4
    assert busy.most == 3
    assert changing.is_idle()


async def test_a_lowered_limit_holds_once_enough_have_ended() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=3)
    tasks = changing.ask(6)
    await settled()
    changing.change({A: busy}, maxConnections=1)
    busy.release(2)
    await settled()
    assert busy.active == 1
    busy.release()
    await settled()
    assert busy.active == 1
    busy.release(3)
    assert await statuses(tasks) == [200] * 6
    assert changing.is_idle()


async def test_who_waits_goes_before_who_comes_after_a_change() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(2, "/before")
    await settled()
    changing.change({A: busy}, maxConnections=1, maxQueue=9)
    tasks += changing.ask(1, "/after")
    await settled()
    busy.release(3)
    assert await statuses(tasks) == [200] * 3
    assert busy.order == ["/before", "/before", "/after"]


async def test_nobody_goes_to_a_server_that_was_removed() -> None:
    """Not even in the moment of the change, when the new limit has room there."""
    changing, old, new = Changing(), Busy(), Busy()
    changing.change({A: old}, maxConnections=1)
    tasks = changing.ask(3)
    await settled()
    changing.change({B: new}, maxConnections=2)
    await settled()
    assert (old.active, new.active) == (1, 2)
    old.release()
    new.release(2)
    assert await statuses(tasks) == [200] * 3
    assert len(old.order) == 1
    assert changing.is_idle()


async def test_without_a_limit_nobody_waits() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(5)
    await settled()
    changing.change({A: busy})
    await settled()
    assert busy.active == 5
    busy.release(5)
    assert await statuses(tasks) == [200] * 5
    assert changing.is_idle()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(2)
    await settled()
    busy.release(2)
    assert await statuses(tasks) == [200] * 2
    assert busy.active == 0
    assert changing.is_idle()


async def test_without_servers_nobody_waits() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    first, second = changing.ask(2)
    await settled()
    changing.change({}, maxConnections=1)
    with pytest.raises(NoServer):
        await second
    busy.release()
    assert await statuses([first]) == [200]
    assert changing.is_idle()


async def test_who_waits_for_a_service_that_is_removed_is_served_by_it() -> None:
    """The request was accepted before the change; if the server goes too, it ends at once."""
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(3)
    await settled()
    changing.service = None
    busy.release(1)
    await settled()
    assert busy.active == 1
    changing.fences.urls = frozenset([A])
    with pytest.raises(NoServer):
        await tasks[2]
    busy.release(1)
    assert await statuses(tasks[:2]) == [200] * 2
    assert changing.is_idle()


async def test_who_leaves_over_a_change_gives_the_turn_back() -> None:
    changing, busy = Changing(), Busy()
    changing.change({A: busy}, maxConnections=1)
    tasks = changing.ask(3)
    await settled()
    changing.change({A: busy}, maxConnections=2)  # The second is called and has not gone yet.
    tasks[1].cancel()
    await settled()
    busy.release(2)
    assert await statuses([tasks[0], tasks[2]]) == [200] * 2
    assert changing.is_idle()


# Servers that refuse.


async def test_who_is_refused_waits_for_a_place_at_another_server() -> None:
    changing, refusing, busy = Changing(), Refusing(), Busy()
    changing.change({A: refusing, B: busy}, maxConnections=1)
    tasks = changing.ask(2)
    await settled()
    assert (refusing.active, busy.active) == (1, 1)
    refusing.release()
    await settled()
    assert not any(task.done() for task in tasks)
    busy.release(2)
    assert await statuses(tasks) == [200] * 2
    assert busy.most == 1
    assert changing.is_idle()


async def test_who_waits_for_another_server_lets_others_pass() -> None:
    changing, refusing, busy = Changing(), Refusing(), Busy()
    changing.change({A: refusing, B: busy}, maxConnections=1)
    refused, other = changing.ask(2)
    await settled()
    refusing.release()
    await settled()
    changing.change({A: (well := Busy()), B: busy}, maxConnections=1)
    (late,) = changing.ask(1)
    await settled()
    assert well.active == 1, "the server that refused the first is free for the last"
    well.release()
    busy.release(2)
    assert await statuses([refused, other, late]) == [200] * 3
    assert changing.is_idle()


async def test_every_server_is_asked_once_and_the_refusal_is_the_answer() -> None:
    changing, upstreams = Changing(), [Refusing(), Refusing()]
    changing.change(dict(zip((A, B), upstreams, strict=True)), maxConnections=1)
    tasks = changing.ask(4)
    for _ in range(8):
        for upstream in upstreams:
            upstream.release()
        await settled()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectFailed] * 4
    assert [upstream.asked for upstream in upstreams] == [4, 4]
    assert changing.is_idle()


async def test_when_the_other_server_goes_the_refusal_is_the_answer() -> None:
    changing, refusing, busy = Changing(), Refusing(), Busy()
    changing.change({A: refusing, B: busy}, maxConnections=1)
    tasks = changing.ask(2)
    await settled()
    refusing.release()
    await settled()
    changing.fences.urls = frozenset([B])
    with pytest.raises(ConnectFailed):
        await tasks[0]
    busy.release()
    assert (await tasks[1]).status == 200
    assert changing.is_idle()


def test_queue_timeout_is_for_all_waiting_together() -> None:
    async def main() -> None:
        changing, refusing, busy = Changing(), Refusing(), Busy()
        changing.change({A: refusing, B: busy}, maxConnections=1, queueTimeout=10.0)
        under_way = changing.ask(2)
        await settled()
        (waits,) = changing.ask(1)
        await asyncio.sleep(6)
        refusing.release()  # The first is refused and stands in line; the second is called...
        await settled()
        assert refusing.active == 1
        refusing.release()  # ...and refused, too.
        began = asyncio.get_running_loop().time()
        with pytest.raises(QueueFull, match="within 10 s"):
            await waits
        assert asyncio.get_running_loop().time() - began == pytest.approx(4)
        with pytest.raises(QueueFull):
            await under_way[0]
        assert asyncio.get_running_loop().time() - began == pytest.approx(10)
        busy.release()
        assert (await under_way[1]).status == 200
        assert changing.is_idle()

    virtual_time.run(main())


def test_the_longest_waiting_time_is_that_of_the_request() -> None:
    """Those behind the first in line fail at their own time, in order, and leave no gap."""

    async def main() -> None:
        changing, busy = Changing(), Busy()
        changing.change({A: busy}, maxConnections=1, queueTimeout=10.0)
        (first,) = changing.ask(1)
        ends = []
        for _ in range(3):
            await asyncio.sleep(1)
            ends += changing.ask(1)
        for number, task in enumerate(ends):
            with pytest.raises(QueueFull):
                await task
            assert asyncio.get_running_loop().time() == pytest.approx(11 + number)
        busy.release()
        assert (await first).status == 200
        assert changing.is_idle()

    virtual_time.run(main())


async def test_who_has_failed_keeps_its_place_and_its_priority() -> None:
    changing, refusing, busy = Changing(), Refusing(), Busy()
    changing.change({A: refusing, B: busy}, maxConnections=1, queueByPriority=True)
    tasks = changing.ask(1, "/first", b"u=0") + changing.ask(1, "/second")
    await settled()
    tasks += changing.ask(1, "/third") + changing.ask(1, "/late", b"u=7")
    await settled()
    refusing.release(3)  # The first, then the third and the last, which go there in turn.
    await settled()
    busy.release(4)
    assert await statuses(tasks) == [200] * 4
    assert refusing.order == ["/first", "/third", "/late"]
    assert busy.order == ["/second", "/first", "/third", "/late"]
    assert changing.is_idle()


def test_urgency_does_not_make_waiting_longer() -> None:
    """Those whom others pass fail at their own time all the same."""

    async def main() -> None:
        changing, busy = Changing(), Busy()
        changing.change({A: busy}, maxConnections=1, queueTimeout=5.0, queueByPriority=True)
        first = changing.ask(1)
        patient = changing.ask(1, "/patient", b"u=7")
        await asyncio.sleep(4)
        urgent = changing.ask(1, "/urgent", b"u=0")
        await asyncio.sleep(0.5)
        busy.release()
        assert await statuses(first) == [200]
        with pytest.raises(QueueFull):
            await patient[0]
        assert asyncio.get_running_loop().time() == pytest.approx(5)
        busy.release()
        assert await statuses(urgent) == [200]
        assert changing.is_idle()

    virtual_time.run(main())


async def test_with_sticky_sessions_the_cookie_is_set_once() -> None:
    changing, refusing, busy = Changing(), Refusing(), Busy()
    sticky = {"cookie": {"name": "s"}}
    changing.change({A: refusing, B: busy}, maxConnections=1, sticky=sticky)
    tasks = changing.ask(2)
    await settled()
    refusing.release()
    await settled()
    busy.release(2)
    async with asyncio.timeout(10):
        answers = [await task for task in tasks]
    for answer in answers:
        assert [name.lower() for name, _ in answer.headers].count(b"set-cookie") == 1


async def test_a_plain_server_answers_behind_a_line() -> None:
    changing = Changing()
    changing.change({A: Upstream()}, maxConnections=1)
    assert await statuses(changing.ask(20)) == [200] * 20
    assert changing.is_idle()
