"""A provider's context that keeps what it is told and lets a test wait for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.provider import Provider, ProviderContext


@dataclass(frozen=True)
class Publication:
    """One call of ``publish``."""

    configuration: DynamicConfiguration
    diagnostics: tuple[Diagnostic, ...]
    at: float

    @property
    def rules(self) -> dict[str, str]:
        """Rules of the routers that serve, by name."""
        errors = self.configuration.errors
        return {
            name: router.rule
            for name, router in self.configuration.http.routers.items()
            if f"http.routers.{name}" not in errors
        }

    def servers(self, service: str) -> list[str]:
        """URLs of a service's servers; empty without the service."""
        found = self.configuration.http.services.get(service)
        balancer = found.load_balancer if found is not None else None
        return [server.url for server in balancer.servers] if balancer is not None else []

    def texts(self) -> str:
        return "\n".join(map(str, self.diagnostics))


@dataclass
class RecordingContext:
    """Implements ``ProviderContext``."""

    publications: list[Publication] = field(default_factory=list)
    fences: list[tuple[frozenset[str], float]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(
        self, configuration: DynamicConfiguration, diagnostics: Sequence[Diagnostic] = ()
    ) -> None:
        self.publications.append(Publication(configuration, tuple(diagnostics), time.monotonic()))
        self._news.set()

    def fence(self, urls: Iterable[str]) -> None:
        self.fences.append((frozenset(urls), time.monotonic()))
        self._news.set()

    def reconnecting(self, reason: str) -> None:
        self.troubles.append(reason)
        self._news.set()

    @property
    def newest(self) -> Publication:
        return self.publications[-1]

    @property
    def fenced(self) -> frozenset[str]:
        return self.fences[-1][0] if self.fences else frozenset()

    async def until(
        self, condition: Callable[["RecordingContext"], object], timeout: float = 10
    ) -> Publication:
        """Wait until the condition holds; return the newest publication."""
        try:
            async with asyncio.timeout(timeout):
                while not (self.publications and condition(self)):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            said = self.newest if self.publications else "nothing"
            raise AssertionError(f"not in {timeout} s; fenced {self.fenced}; said {said}") from None
        return self.newest


@asynccontextmanager
async def running(provider: Provider) -> AsyncIterator[RecordingContext]:
    """Run a provider; at the end it is cancelled and must end."""
    context: RecordingContext = RecordingContext()
    typed: ProviderContext = context
    task = asyncio.create_task(provider.run(typed), name="provider")
    try:
        yield context
    finally:
        failure = task.exception() if task.done() and not task.cancelled() else None
        task.cancel("the test is over")
        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)
        if failure is not None:
            raise failure
