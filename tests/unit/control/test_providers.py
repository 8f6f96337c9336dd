import asyncio
import itertools
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.control.providers import FIRST_PAUSE, LONGEST_PAUSE, Providers
from edgerouter.provider import ProviderContext, ProviderUnavailable
from tests.support import virtual_time

EMPTY = DynamicConfiguration()


class Scripted:
    """A provider that does what the test says."""

    Options = BaseModel

    def __init__(self, script: Callable[[ProviderContext], Awaitable[None]]) -> None:
        self._script = script
        self.reloads = 0

    async def run(self, context: ProviderContext) -> None:
        await self._script(context)

    def reload(self) -> None:
        self.reloads += 1


class Plain:
    """A provider without ``reload``."""

    Options = BaseModel

    async def run(self, context: ProviderContext) -> None:
        context.publish(EMPTY)
        await asyncio.get_running_loop().create_future()


class Log:
    """Takes what providers offer."""

    def __init__(self) -> None:
        self.offers: list[tuple[str, tuple[Diagnostic, ...]]] = []
        self.fences: list[set[str]] = []

    def offer(self, name: str, _: DynamicConfiguration, diagnostics: Any) -> None:
        self.offers.append((name, diagnostics))

    def fence(self, urls: frozenset[str]) -> None:
        self.fences.append(set(urls))


async def for_ever(context: ProviderContext) -> None:
    await asyncio.get_running_loop().create_future()


async def run_for(seconds: float, providers: Providers) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(providers.run(), seconds)


def test_publications_and_their_diagnostics_arrive() -> None:
    async def publish(context: ProviderContext) -> None:
        context.publish(EMPTY, [Diagnostic("warning", "odd")])
        await for_ever(context)

    async def main() -> None:
        log = Log()
        providers = Providers({"docker": Scripted(publish)}, log.offer, log.fence)
        await run_for(1, providers)
        assert log.offers == [("docker", (Diagnostic("warning", "odd"),))]
        assert providers.states["docker"].status == "running"
        assert providers.states["docker"].spoken.is_set()

    virtual_time.run(main())


def test_a_source_out_of_sight_is_known_at_once() -> None:
    async def main() -> None:
        seen = asyncio.Event()

        async def lose(context: ProviderContext) -> None:
            context.publish(EMPTY)
            context.reconnecting("the socket is gone")
            await seen.wait()
            context.publish(EMPTY)
            await for_ever(context)

        log = Log()
        providers = Providers({"docker": Scripted(lose)}, log.offer, log.fence)
        state = providers.states["docker"]
        running = asyncio.create_task(providers.run())
        await asyncio.sleep(1)
        assert (state.status, state.error) == ("reconnecting", "the socket is gone")
        seen.set()
        await asyncio.sleep(1)
        assert (state.status, state.error) == ("running", "")
        running.cancel()

    virtual_time.run(main())


def test_publishing_from_a_thread() -> None:
    async def main() -> None:
        log = Log()
        threads: list[int] = []

        async def publish(context: ProviderContext) -> None:
            def work() -> None:
                context.fence(["http://a"])
                context.publish(EMPTY)

            await asyncio.to_thread(work)

        def offer(*_: Any) -> None:
            threads.append(threading.get_ident())

        providers = Providers({"docker": Scripted(publish)}, offer, log.fence)
        await asyncio.wait_for(providers.run(), 5)
        assert threads == [threading.get_ident()]
        assert log.fences == [{"http://a"}]

    asyncio.run(main())


def test_an_unavailable_provider_is_run_again_with_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        runs: list[float] = []

        async def fail(_: ProviderContext) -> None:
            runs.append(asyncio.get_running_loop().time())
            raise ProviderUnavailable("no daemon at unix:///x")

        log = Log()
        providers = Providers({"docker": Scripted(fail)}, log.offer, log.fence)
        await run_for(200, providers)
        pauses = [round(later - before, 3) for before, later in itertools.pairwise(runs)]
        assert pauses[:4] == [FIRST_PAUSE, 1, 2, 4]
        assert max(pauses) == LONGEST_PAUSE
        state = providers.states["docker"]
        assert (state.status, state.error) == ("unavailable", "no daemon at unix:///x")
        assert state.failures == len(runs)
        assert state.spoken.is_set()

    caplog.set_level("DEBUG")
    virtual_time.run(main())
    assert all(record.exc_info is None for record in caplog.records)
    said = [record.levelname for record in caplog.records if "unavailable" in record.message]
    assert said[0] == "ERROR"
    assert set(said[1:]) == {"DEBUG"}, "what is known need not be said again"


def test_a_crash_is_logged_with_its_traceback_and_stops_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async def crash(_: ProviderContext) -> None:
            raise KeyError("bug")

        log = Log()
        both = {"docker": Scripted(crash), "file": Plain()}
        providers = Providers(both, log.offer, log.fence)
        await run_for(10, providers)
        assert [name for name, _ in log.offers] == ["file"]
        assert providers.states["docker"].status == "failed"
        assert providers.states["docker"].error == "KeyError: 'bug'"
        assert providers.states["docker"].failures > 1
        assert providers.states["file"].status == "running"

    with caplog.at_level(logging.ERROR):
        virtual_time.run(main())
    assert caplog.records[0].exc_info is not None


def test_a_provider_that_has_nothing_to_watch_may_end() -> None:
    async def main() -> None:
        async def once(context: ProviderContext) -> None:
            context.publish(EMPTY)

        log = Log()
        providers = Providers({"file": Scripted(once)}, log.offer, log.fence)
        await asyncio.wait_for(providers.run(), 5)
        assert providers.states["file"].status == "ended"

    virtual_time.run(main())


def test_fences_of_all_providers_are_one_set() -> None:
    async def main() -> None:
        def fencing(*urls: str) -> Scripted:
            async def run(context: ProviderContext) -> None:
                context.fence(urls)
                await for_ever(context)

            return Scripted(run)

        log = Log()
        both = {"docker": fencing("http://a", "http://b"), "swarm": fencing("http://b")}
        await run_for(1, Providers(both, log.offer, log.fence))
        assert log.fences[-1] == {"http://a", "http://b"}

    virtual_time.run(main())


def test_all_have_spoken_when_the_last_has() -> None:
    async def main() -> float:
        async def later(context: ProviderContext) -> None:
            await asyncio.sleep(2)
            context.publish(EMPTY)

        log = Log()
        both = {"file": Plain(), "docker": Scripted(later)}
        providers = Providers(both, log.offer, log.fence)
        running = asyncio.create_task(providers.run())
        await providers.all_spoken()
        running.cancel()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 2


def test_reload_reaches_the_providers_that_can() -> None:
    provider = Scripted(for_ever)
    log = Log()
    providers = Providers({"file": provider, "docker": Plain()}, log.offer, log.fence)
    providers.reload()
    assert provider.reloads == 1


@pytest.mark.parametrize("reason", ["", "away", "broken"])
def test_whoever_uses_a_certificate_is_told_or_it_is_said_why_not(
    caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    told: list[str] = []

    class Teller(Plain):
        async def certificate_changed(self, names: list[str]) -> None:
            if reason:
                raise ProviderUnavailable(reason) if reason == "away" else ValueError(reason)
            told.extend(names)

    async def main() -> None:
        sink = Log()
        providers = Providers({"plain": Plain(), "teller": Teller()}, sink.offer, sink.fence)
        running = asyncio.create_task(providers.run())
        try:
            await providers.certificate_changed(["a.org"])
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    if reason == "away":
        with pytest.raises(ProviderUnavailable, match="away"):
            asyncio.run(main())
    else:
        asyncio.run(main())
    assert told == ([] if reason else ["a.org"])
    assert ("cannot tell of a certificate: teller" in caplog.text) == (reason == "broken")
