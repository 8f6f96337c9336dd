"""Requests that wait for a server."""

import asyncio

import pytest

from edgerouter.http.errors import ConnectFailed, NoServer
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences
from edgerouter.services.waiting import Hall
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream, servers

FENCED = frozenset(["http://s0"])


def waiting(
    hall: Hall,
    upstream: Upstream,
    fences: Fences,
    duration: float = 5.0,
    most: int = 10,
    **options: object,
) -> LoadBalancer:
    room = hall.room("s@file", duration, most)
    service = LoadBalancer("s@file", servers([upstream]), fences, options, room=room)
    room.current = service
    return service


async def test_a_request_waits_until_its_server_is_back() -> None:
    hall, upstream, fences = Hall(), Upstream(), Fences()
    service = waiting(hall, upstream, fences)
    fences.urls = FENCED
    tasks = [asyncio.ensure_future(service(request())) for _ in range(5)]
    await asyncio.sleep(0)
    assert hall.waiting == 5
    fences.urls = frozenset()
    assert [(await task).status for task in tasks] == [200] * 5
    assert hall.waiting == 0


async def test_the_service_that_takes_over_answers() -> None:
    hall, old, new, fences = Hall(), Upstream("old"), Upstream("new"), Fences()
    service = waiting(hall, old, fences)
    fences.urls = FENCED
    task = asyncio.ensure_future(service(request()))
    await asyncio.sleep(0)
    room = hall.room("s@file", 5.0, 10)
    room.current = LoadBalancer("s@file", servers([old, new]), fences, {}, room=room)
    room.wake()
    await task
    assert (old.asked, new.asked) == (0, 1)


async def test_a_server_that_refuses_is_asked_again() -> None:
    upstream = Upstream(error=ConnectFailed("refused"))
    service = waiting(Hall(), upstream, Fences())
    task = asyncio.ensure_future(service(request()))
    while not upstream.asked:
        await asyncio.sleep(0)
    upstream.error = None
    assert (await task).status == 200
    assert upstream.asked == 2


async def test_waiting_has_an_end() -> None:
    hall, fences = Hall(), Fences()
    service = waiting(hall, Upstream(), fences, duration=0.03)
    fences.urls = FENCED
    with pytest.raises(NoServer, match=r"for 0\.03 s"):
        await service(request())
    refusing = waiting(hall, Upstream(error=ConnectFailed("refused")), Fences(), duration=0.03)
    with pytest.raises(ConnectFailed):
        await refusing(request())
    assert hall.waiting == 0


async def test_only_so_many_wait() -> None:
    hall, fences = Hall(), Fences()
    service = waiting(hall, Upstream(), fences, most=2)
    fences.urls = FENCED
    tasks = [asyncio.ensure_future(service(request())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NoServer, match="2 requests wait"):
        await service(request())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert hall.waiting == 0, "who went away does not wait"


async def test_rooms_are_forgotten_when_nobody_waits() -> None:
    hall = Hall()
    room = hall.room("s@file", 1.0, 1)
    hall.keep_only({"s@file"})
    assert hall.room("s@file", 1.0, 1) is room
    hall.keep_only(set())
    assert hall.room("s@file", 1.0, 1) is not room


async def test_sticky_clients_wait_too() -> None:
    hall, fences = Hall(), Fences()
    service = waiting(hall, Upstream(), fences, sticky={"cookie": {"name": "s"}})
    fences.urls = FENCED
    task = asyncio.ensure_future(service(request()))
    await asyncio.sleep(0)
    fences.urls = frozenset()
    assert (await task).headers.has(b"set-cookie")
