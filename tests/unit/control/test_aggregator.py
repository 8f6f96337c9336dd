import asyncio
from typing import Any

import pytest

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration, HTTPConfiguration
from edgerouter.config.dynamic.http import Router, Server, ServersLoadBalancer, Service
from edgerouter.control.aggregator import QUIET, Aggregator, Publications
from tests.support import virtual_time

THROTTLE = 2.0


def configuration(rule: str) -> DynamicConfiguration:
    return DynamicConfiguration(http=HTTPConfiguration(routers={"r": Router(rule=rule)}))


class Rebuilds:
    """Notes when it was called and with which rules."""

    def __init__(self, took: float = 0.0) -> None:
        self.took = took
        self.calls: list[tuple[float, dict[str, str]]] = []

    async def __call__(self, publications: Publications) -> None:
        rules = {
            name: publication.configuration.http.routers["r"].rule
            for name, publication in publications.items()
        }
        self.calls.append((round(asyncio.get_running_loop().time(), 3), rules))
        await asyncio.sleep(self.took)


def play(script: list[tuple[float, str, str]], until: float, took: float = 0.0) -> Any:
    """Offer (time, provider, rule) and return the calls of the rebuild."""

    async def main() -> Any:
        rebuilds = Rebuilds(took)
        aggregator = Aggregator(THROTTLE, rebuilds)
        loop = asyncio.get_running_loop()
        for moment, provider, rule in script:
            loop.call_at(moment, aggregator.offer, provider, configuration(rule))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aggregator.run(), until)
        return rebuilds.calls

    return virtual_time.run(main())


def test_the_first_change_goes_out_at_once() -> None:
    assert play([(1, "file", "a")], 5) == [(1, {"file": "a"})]


def test_a_change_after_the_throttle_duration_goes_out_at_once() -> None:
    calls = play([(1, "file", "a"), (3.5, "file", "b")], 5)
    assert [moment for moment, _ in calls] == [1, 3.5]


def test_a_burst_goes_out_once_it_is_quiet_with_its_newest_state() -> None:
    calls = play([(1, "file", "a"), (1.2, "file", "b"), (1.25, "file", "c")], 5)
    assert calls == [(1, {"file": "a"}), (1.25 + QUIET, {"file": "c"})]


def test_an_endless_burst_goes_out_after_the_throttle_duration() -> None:
    script = [(1 + step * 0.02, "file", str(step)) for step in range(250)]
    moments = [moment for moment, _ in play(script, 5.9)]
    assert moments == [1, 3, 5]


def test_equal_configurations_are_dropped() -> None:
    assert len(play([(1, "file", "a"), (4, "file", "a")], 9)) == 1


def test_a_slow_rebuild_stretches_the_quiet() -> None:
    calls = play([(1, "file", "a"), (1.6, "file", "b")], 9, took=0.2)
    assert [moment for moment, _ in calls] == [1, 2.4]


def test_a_change_during_a_rebuild_is_not_lost() -> None:
    calls = play([(1, "file", "a"), (1.1, "docker", "b")], 9, took=0.2)
    assert calls[-1][1] == {"file": "a", "docker": "b"}


def test_new_diagnostics_alone_are_a_change() -> None:
    async def main() -> int:
        rebuilds = Rebuilds()
        aggregator = Aggregator(THROTTLE, rebuilds)
        aggregator.offer("file", configuration("a"))
        task = asyncio.create_task(aggregator.run())
        await asyncio.sleep(1)
        aggregator.offer("file", configuration("a"), (Diagnostic("warning", "odd"),))
        await asyncio.sleep(3)
        task.cancel()
        return len(rebuilds.calls)

    assert virtual_time.run(main()) == 2


def served(*servers: str) -> DynamicConfiguration:
    balancer = ServersLoadBalancer(servers=[Server(url=url) for url in servers])
    services = {"s": Service(load_balancer=balancer)}
    return DynamicConfiguration(
        http=HTTPConfiguration(routers={"r": Router(rule="r")}, services=services)
    )


@pytest.mark.parametrize(
    ("before", "after", "is_urgent"),
    [
        ((), ("http://a",), True),
        (("http://a",), ("http://a", "http://b"), False),
        (("http://a",), (), False),
        (("http://a",), ("http://b",), False),
    ],
)
def test_the_first_server_of_a_service_that_had_none_does_not_wait(
    before: tuple[str, ...], after: tuple[str, ...], is_urgent: bool
) -> None:
    async def main() -> list[float]:
        rebuilds = Rebuilds()
        aggregator = Aggregator(THROTTLE, rebuilds)
        loop = asyncio.get_running_loop()
        loop.call_at(1, aggregator.offer, "docker", served(*before))
        loop.call_at(1.5, aggregator.offer, "docker", served(*after))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aggregator.run(), 5)
        return [moment for moment, _ in rebuilds.calls]

    assert virtual_time.run(main()) == [1, 1.5 if is_urgent else 1.5 + QUIET]


def test_an_urgent_change_ends_the_wait_of_another() -> None:
    async def main() -> list[float]:
        rebuilds = Rebuilds()
        aggregator = Aggregator(THROTTLE, rebuilds)
        loop = asyncio.get_running_loop()
        loop.call_at(1, aggregator.offer, "docker", served())
        loop.call_at(1.5, aggregator.offer, "file", configuration("a"))
        loop.call_at(1.55, aggregator.offer, "docker", served("http://a"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aggregator.run(), 5)
        return [moment for moment, _ in rebuilds.calls]

    assert virtual_time.run(main()) == [1, 1.55]


def test_a_cancellation_that_comes_with_an_urgent_change_is_not_lost() -> None:
    async def main() -> bool:
        aggregator = Aggregator(THROTTLE, Rebuilds())
        aggregator.offer("docker", served())
        task = asyncio.create_task(aggregator.run())
        await asyncio.sleep(1)
        aggregator.offer("file", configuration("a"))
        await asyncio.sleep(QUIET / 2)
        aggregator.offer("docker", served("http://a"))
        await asyncio.sleep(0)  # The event is there, the one who waits for it not yet.
        task.cancel()
        await asyncio.wait([task], timeout=60)
        try:
            return task.cancelled()
        finally:
            task.cancel()

    assert virtual_time.run(main())


def test_urgent_changes_leave_time_between_slow_rebuilds() -> None:
    async def main() -> list[float]:
        rebuilds = Rebuilds(took=0.1)
        aggregator = Aggregator(THROTTLE, rebuilds)
        loop = asyncio.get_running_loop()
        loop.call_at(1, aggregator.offer, "docker", served())
        loop.call_at(1.05, aggregator.offer, "docker", served("http://a"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aggregator.run(), 5)
        return [moment for moment, _ in rebuilds.calls]

    assert virtual_time.run(main()) == [1, 1.1 + 4 * 0.1]
