"""The budget of repetitions: one for each service, whatever leads to it."""

import asyncio
import gc
from typing import Any

import pytest

from edgerouter.http.errors import ConnectFailed, ExchangeError, UpstreamReset
from edgerouter.http.handler import Handler
from edgerouter.http.message import Request, Response
from edgerouter.middleware import buffering, retry
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.budget import MIN_CONCURRENCY, PERCENT, Budgets
from tests.unit.middleware.bodies import Answers, Overloaded, Pieces, content, page
from tests.unit.middleware.exchange import request


def named(service: str, server: Handler) -> Handler:
    """Return ``server`` as a service of this name."""

    async def handle(asked: Request) -> Response:
        asked.exchange.service = service
        return await server(asked)

    return handle


def again(context: BuildContext, handler: Handler, attempts: int = 2) -> Handler:
    return retry.build(retry.Options(attempts=attempts, status=("503",)), context)(handler)


def contexts(count: int, *, as_traefik: bool = False) -> list[BuildContext]:
    """The surroundings of middlewares in one worker."""
    budgets = Budgets()
    return [BuildContext(f"m{n}", budgets=budgets, as_traefik=as_traefik) for n in range(count)]


async def warm(*handlers: Handler) -> None:
    """Let each router find out which service it leads to."""
    for handler in handlers:
        await handler(request())


async def test_all_routers_and_middlewares_share_the_budget_of_a_service() -> None:
    server = Overloaded(1)
    middlewares = [again(context, named("s", server)) for context in contexts(10)]
    await warm(*middlewares)
    overloaded = Overloaded(100)
    server.__dict__.update(overloaded.__dict__)
    answers = await asyncio.gather(*(m(request()) for m in middlewares for _ in range(10)))
    assert {answer.status for answer in answers} == {503}
    assert server.asked <= 100 + PERCENT


async def test_services_have_budgets_of_their_own() -> None:
    one, other = Overloaded(1), Overloaded(1)
    (context,) = contexts(1)
    handlers = [again(context, named(n, s)) for n, s in (("one", one), ("other", other))]
    await warm(*handlers)
    for server in (one, other):
        server.__dict__.update(Overloaded(MIN_CONCURRENCY).__dict__)
    await asyncio.gather(*(h(request()) for h in handlers for _ in range(MIN_CONCURRENCY)))
    assert (one.asked, other.asked) == (2 * MIN_CONCURRENCY, 2 * MIN_CONCURRENCY)


@pytest.mark.parametrize(("as_traefik", "asked"), [(False, 3), (True, 9)])
async def test_one_behind_the_other_they_do_not_multiply(as_traefik: bool, asked: int) -> None:
    outer, inner = contexts(2, as_traefik=as_traefik)
    server = Overloaded(1)
    handler = again(outer, again(inner, named("s", server), attempts=3), attempts=3)
    assert (await handler(request())).status == 503
    assert server.asked == asked


async def test_buffering_behind_retry_does_not_multiply_either() -> None:
    outer, inner = contexts(2)
    server = Overloaded(1)
    options = buffering.Options(retry_expression="Attempts() <= 2 && ResponseCode() == 503")
    handler = again(outer, buffering.build(options, inner)(named("s", server)), attempts=3)
    assert (await handler(request())).status == 503
    assert server.asked == 3


async def test_one_behind_the_other_they_count_requests_once() -> None:
    outer, inner = contexts(2)
    server = Overloaded(1)
    handler = again(outer, again(inner, named("s", server)))
    await warm(handler)
    server.__dict__.update(Overloaded(100).__dict__)
    await asyncio.gather(*(handler(request()) for _ in range(100)))
    assert server.asked <= 100 + PERCENT


async def exhausted(context: BuildContext, service: str) -> list["asyncio.Task[Response]"]:
    """Have repetitions under way for as long as the budget allows."""
    for_ever = asyncio.get_running_loop().create_future()

    async def stuck(asked: Request) -> Response:
        asked.exchange.service = service
        if asked.exchange.retries:
            await for_ever
        return page(b"busy", status=503)

    handler = again(context, stuck)

    async def ask() -> Response:
        return await handler(request())

    tasks = [asyncio.create_task(ask()) for _ in range(MIN_CONCURRENCY)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    return tasks


async def cancel(tasks: list["asyncio.Task[Response]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_a_budget_the_first_answer_is_the_answer() -> None:
    """Whole, with a body that was kept for another try, and again once there is a budget."""
    first, second = contexts(2)
    tasks = await exhausted(first, "s")
    bodies: list[bytes] = []

    async def failing(asked: Request) -> Response:
        bodies.append(await content(asked.body))
        return page(b"sorry", (b"X-Try", b"%d" % len(bodies)), status=503)

    handler = again(second, named("s", failing))
    sent = request(method="PUT").evolve(body=Pieces(b"bo", b"dy", length=4))
    answer = await handler(sent)
    assert (answer.status, answer.headers.first(b"x-try")) == (503, b"1")
    assert await content(answer.body) == b"sorry"
    await cancel(tasks)
    sent = request(method="PUT").evolve(body=Pieces(b"bo", b"dy", length=4))
    assert (await handler(sent)).headers.first(b"x-try") == b"3"
    assert bodies == [b"body"] * 3


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(UpstreamReset("gone"), 1, id="sent"),
        pytest.param(ConnectFailed("refused"), 2, id="not-sent"),
    ],
)
async def test_without_a_budget_the_first_error_is_the_error(
    error: ExchangeError, asked: int
) -> None:
    """What no server has got costs none anything, and is tried again all the same."""
    first, second = contexts(2)
    tasks = await exhausted(first, "s")
    server = Answers(error, error)
    options = retry.Options(attempts=2, status=("502",))
    handler = retry.build(options, second)(named("s", server))
    with pytest.raises(type(error)):
        await handler(request())
    assert len(server.requests) == asked
    await cancel(tasks)


async def test_budgets_of_services_that_are_gone_are_forgotten() -> None:
    budgets = Budgets()
    server: Any = Overloaded(1)
    handler = again(BuildContext("m", budgets=budgets), named("s", server))
    await warm(handler)
    assert len(budgets._by_service) == 1
    del handler, server
    gc.collect()
    assert not budgets._by_service
