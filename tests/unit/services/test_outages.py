"""Requests that are held over several outages, behind dials that hang, and over changes."""

import asyncio
import gc
import weakref

import pytest

from edgerouter.http.errors import ConnectFailed, ConnectTimeout, ExchangeError, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences, Server
from edgerouter.services.waiting import INTERVAL, Hall
from tests.support import virtual_time
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream

HOLD = 10.0
DIAL_TIMEOUT = 30.0
A, B = "http://a", "http://b"


class Hanging(Upstream):
    """Drops the packets of whoever opens a connection, as long as ``hangs``."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.hangs = True
        self.dials = 0

    async def __call__(self, request: Request) -> Response:
        self.dials += 1
        if request.exchange.dials is None:
            await self._dial()
        else:
            await request.exchange.dials.run(self._dial, self.url, request.exchange)
        return await super().__call__(request)

    async def _dial(self) -> None:
        if self.hangs:
            await asyncio.sleep(DIAL_TIMEOUT)
            raise ConnectTimeout("no answer")


class Broken(Hanging):
    """Loses the kept connection with the request, which asks for another one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.breaks = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        await self.breaks.wait()
        return await super().__call__(request)


class Slow(Upstream):
    """Has a connection at once, and answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        if request.exchange.sent is not None:
            request.exchange.sent()
        response = await super().__call__(request)
        await self.go.wait()
        return response


class Router:
    """A service in one worker, which changes."""

    def __init__(self, hold: float = HOLD, duration: float = 0.0) -> None:
        self.hall = Hall()
        self.fences = Fences()
        self._limits = duration, 10, hold
        self.service: LoadBalancer

    def change(self, upstreams: dict[str, Upstream]) -> LoadBalancer:
        """Replace the service as a worker does; return it."""
        room = self.hall.room("s@docker", *self._limits)
        made = [Server(url, 1, upstream) for url, upstream in upstreams.items()]
        self.service = LoadBalancer("s@docker", made, self.fences, {}, room=room)
        return self.service

    def ask(self) -> "asyncio.Task[Outcome]":
        return asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> "Outcome":
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self.service(request())
        except ExchangeError as error:
            return Outcome(loop.time() - began, error)
        return Outcome(loop.time() - began, None)


class Outcome:
    """How long a request took, and why it failed."""

    def __init__(self, seconds: float, error: ExchangeError | None) -> None:
        self.seconds = round(seconds, 6)
        self.error = error


# Dials that hang.


def test_a_new_server_is_asked_though_a_dial_hangs() -> None:
    async def main() -> None:
        router, hanging, new = Router(), Hanging(A), Upstream()
        router.change({A: hanging})
        held = router.ask()
        await asyncio.sleep(3)
        router.change({A: hanging, B: new})
        outcome = await held
        assert (outcome.error, outcome.seconds) == (None, 3.0)
        assert (hanging.dials, new.asked) == (1, 1)

    virtual_time.run(main())


def test_a_server_that_is_out_is_not_waited_for() -> None:
    async def main() -> None:
        router, hanging, other = Router(), Hanging(A), Upstream()
        router.change({A: hanging, B: other})
        held = router.ask()
        await asyncio.sleep(1)
        router.fences.urls = frozenset([A])
        outcome = await held
        assert (outcome.error, outcome.seconds) == (None, 1.0)

    virtual_time.run(main())


def test_no_other_connection_is_opened_to_a_server_that_is_out() -> None:
    async def main() -> None:
        router, broken, other = Router(), Broken(A), Upstream()
        router.change({A: broken, B: other})
        held = router.ask()
        await asyncio.sleep(1)
        router.fences.urls = frozenset([A])
        broken.breaks.set()
        outcome = await held
        assert (outcome.error, outcome.seconds) == (None, 1.0)

    virtual_time.run(main())


def test_a_change_that_brings_no_server_leaves_dials_alone() -> None:
    async def main() -> None:
        router, hanging = Router(), Hanging(A)
        router.change({A: hanging})
        held = router.ask()
        for _ in range(5):
            await asyncio.sleep(1)
            router.change({A: hanging})
        assert hanging.dials == 1
        held.cancel()

    virtual_time.run(main())


@pytest.mark.parametrize("late", [0.0, 3.0])
def test_dials_and_waiting_take_try_duration_in_all(late: float) -> None:
    """Whether the first connection hangs, or one after some time without any server."""

    async def main() -> None:
        router, hanging = Router(0.0, 5.0), Hanging(A)
        router.change({} if late else {A: hanging})
        held = router.ask()
        await asyncio.sleep(late)
        router.change({A: hanging})
        outcome = await held
        assert isinstance(outcome.error, ConnectTimeout)
        assert outcome.seconds == 5.0
        assert router.hall.waiting == 0

    virtual_time.run(main())


def test_a_held_request_does_not_hang_longer_than_it_may_be_held() -> None:
    async def main() -> None:
        router, hanging = Router(), Hanging(A)
        router.change({})
        held = router.ask()
        await asyncio.sleep(4)
        router.change({A: hanging})
        assert (await held).seconds == HOLD

    virtual_time.run(main())


def test_a_server_that_hangs_leaves_time_for_another() -> None:
    async def main() -> None:
        router, hanging, well = Router(0.0, 8.0), Hanging(A), Upstream()
        router.change({A: hanging, B: well})
        outcomes = [await router.ask() for _ in range(2)]
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert max(outcome.seconds for outcome in outcomes) == 4.0

    virtual_time.run(main())


# Outages one after the other.


def test_a_request_is_held_over_a_second_outage() -> None:
    """Not longer than ``hold`` in all, and not shorter than the second outage allows."""

    async def main() -> None:
        router, flapping = Router(), Upstream(error=ConnectFailed("refused"))
        router.change({})
        await asyncio.sleep(6)
        first = router.ask()
        await asyncio.sleep(2)
        router.change({A: flapping})
        await asyncio.sleep(1)
        router.change({})
        late = router.ask()
        await asyncio.sleep(4)  # The first outage's time was over at 10; this is at 13.
        assert not first.done()
        outcome = await first
        assert isinstance(outcome.error, NoServer)
        assert outcome.seconds == HOLD
        assert (await late).seconds == HOLD

    virtual_time.run(main())


def test_a_server_that_flaps_holds_nothing_for_ever() -> None:
    async def main() -> None:
        router, flapping = Router(), Upstream(error=ConnectFailed("refused"))
        router.change({})
        held = router.ask()
        for _ in range(10):
            await asyncio.sleep(1)
            router.change({A: flapping})
            await asyncio.sleep(1)
            router.change({})
        assert (await held).seconds == pytest.approx(HOLD, abs=INTERVAL)
        assert flapping.asked <= 5 * (1 / INTERVAL + 2), "no busy loop"

    virtual_time.run(main())


@pytest.mark.parametrize("pause", [3 * HOLD, 1.0])
def test_a_later_outage_is_held_anew(pause: float) -> None:
    """Also if nobody asked while the server was well."""

    async def main() -> None:
        router, upstream = Router(), Upstream(error=ConnectFailed("refused"))
        router.change({A: upstream})
        first = router.ask()
        await asyncio.sleep(HOLD - 1)
        if pause < HOLD:
            upstream.error = None
            assert (await first).error is None
            upstream.error = ConnectFailed("refused")
        await asyncio.sleep(pause)
        second = await router.ask()
        assert second.seconds == HOLD
        assert (await router.ask()).seconds == 0, "the time of this outage is over"

    virtual_time.run(main())


def test_who_was_held_and_is_served_takes_no_place_from_others() -> None:
    """Long answers to requests of one outage leave the next one its places."""

    async def main() -> None:
        router, slow = Router(), Slow()
        router.change({})
        held = [router.ask() for _ in range(10)]
        await asyncio.sleep(1)
        router.change({A: slow})
        await asyncio.sleep(1)
        assert slow.asked == 10
        assert router.hall.waiting == 0
        router.change({})
        more = [router.ask() for _ in range(10)]
        await asyncio.sleep(1)
        assert router.hall.waiting == 10
        router.change({A: slow})
        slow.go.set()
        assert [(await each).error for each in (*held, *more)] == [None] * 20
        assert router.hall.waiting == 0

    virtual_time.run(main())


# Changes.


def test_a_replaced_service_does_not_say_when_the_outage_began() -> None:
    async def main() -> None:
        router, old, new = Router(), Upstream(), Upstream()
        replaced = router.change({A: old})
        router.change({B: new})
        router.fences.urls = frozenset([A])  # It still answers a request, and is told.
        await asyncio.sleep(2 * HOLD)
        router.fences.urls = frozenset([A, B])
        held = router.ask()
        await asyncio.sleep(HOLD - 1)
        router.fences.urls = frozenset()
        assert (await held).error is None
        assert replaced.up

    virtual_time.run(main())


def test_a_service_that_holds_no_more_answers_who_waits() -> None:
    async def main() -> None:
        router, new = Router(), Upstream()
        router.change({})
        held = router.ask()
        await asyncio.sleep(1)
        service = LoadBalancer("s@docker", [Server(A, 1, new)], router.fences, {})
        router.hall.pass_on("s@docker", service)
        outcome = await held
        assert (outcome.error, outcome.seconds, new.asked) == (None, 1.0, 1)

    virtual_time.run(main())


def test_without_hold_and_server_waiting_ends() -> None:
    async def main() -> None:
        router = Router()
        router.change({})
        held = router.ask()
        await asyncio.sleep(1)
        service = LoadBalancer("s@docker", [], router.fences, {})
        router.hall.pass_on("s@docker", service)
        outcome = await held
        assert isinstance(outcome.error, NoServer)
        assert outcome.seconds == 1.0

    virtual_time.run(main())


async def test_a_service_that_is_gone_is_freed() -> None:
    router = Router()
    gone = weakref.ref(router.change({A: Upstream()}))
    gc.disable()
    try:
        del router.service
        router.hall.keep_only(set())
        assert gone() is None
    finally:
        gc.enable()
