"""Runs the configured providers, each on its own, and keeps them running.

A provider that fails is run again after a growing pause; what it published
before stays in force, and the other providers never notice.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVarTuple

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.observability.logs import fields
from edgerouter.provider import Provider, ProviderContext, ProviderUnavailable

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between two runs of a provider that fails, at the beginning and at most."""

STABLE = 60.0
"""Seconds a run has to last for the pause to start from the beginning again."""


Status = Literal["starting", "running", "reconnecting", "unavailable", "failed", "ended"]
"""``reconnecting`` is the provider's own word for a source that has just gone out of sight."""


@dataclass
class ProviderState:
    """One provider as operators see it."""

    name: str
    status: Status = "starting"
    error: str = ""
    failures: int = 0
    publications: int = 0
    last_publication: float | None = None
    """Seconds since the epoch."""
    fenced: frozenset[str] = frozenset()
    spoken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the provider has published, failed or ended for the first time."""


Offer = Callable[[str, DynamicConfiguration, tuple[Diagnostic, ...]], None]


class Providers:
    """All configured providers."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        offer: Offer,
        fence: Callable[[frozenset[str]], None],
    ) -> None:
        self._providers = providers
        self._offer = offer
        self._fence = fence
        self.states = {name: ProviderState(name) for name in providers}

    async def run(self) -> None:
        """Run every provider until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, provider in self._providers.items():
                tasks.create_task(self._keep(name, provider), name=f"provider {name}")

    async def all_spoken(self) -> None:
        """Wait until each provider has published or turned out to be unavailable."""
        for state in self.states.values():
            await state.spoken.wait()

    def reload(self) -> None:
        """Let the providers that can do so (a ``reload`` method) look at their source again."""
        for name, provider in self._providers.items():
            reload = getattr(provider, "reload", None)
            if reload is not None:
                log.info("Provider reloads", extra=fields(provider=name))
                reload()

    async def certificate_changed(self, names: Sequence[str]) -> None:
        """Let the providers that can do so (a method of this name) tell whoever uses a copy.

        Raises:
            ProviderUnavailable: One cannot see its source now.
        """
        for name, provider in self._providers.items():
            tell = getattr(provider, "certificate_changed", None)
            if tell is not None:
                await self.states[name].spoken.wait()
                try:
                    await tell(names)
                except ProviderUnavailable:
                    raise
                except Exception:
                    log.exception("The provider cannot tell of a certificate: %s", name)

    def drain(self, container: str, *, is_drained: bool) -> tuple[str, frozenset[str]]:
        """Drain a container, or end that; return its whole name and its servers' URLs.

        Raises:
            LookupError: No provider has it (by a ``drain`` method), or it is not clear which.
        """
        reasons = []
        for provider in self._providers.values():
            drain = getattr(provider, "drain", None)
            if drain is not None:
                try:
                    found: tuple[str, frozenset[str]] = drain(container, is_drained=is_drained)
                except LookupError as error:
                    reasons.append(str(error.args[0]))
                else:
                    return found
        raise LookupError("; ".join(reasons) or "no provider has containers")

    def drained(self, name: str) -> list[str]:
        """Return the names of the containers of the provider ``name`` that are drained."""
        return list(getattr(self._providers[name], "drained", ()))

    def is_drained(self, container: str) -> bool:
        """Tell whether the container of this whole name is drained."""
        return any(container in self.drained(name) for name in self._providers)

    def published(
        self, name: str, configuration: DynamicConfiguration, diagnostics: tuple[Diagnostic, ...]
    ) -> None:
        """Take what the provider ``name`` offers."""
        state = self.states[name]
        state.status, state.error = "running", ""
        state.publications += 1
        state.last_publication = time.time()
        state.spoken.set()
        self._offer(name, configuration, diagnostics)

    def fenced(self, name: str, urls: Iterable[str]) -> None:
        """Take the fences of the provider ``name``."""
        self.states[name].fenced = frozenset(urls)
        self._fence(frozenset().union(*(state.fenced for state in self.states.values())))

    def reconnecting(self, name: str, reason: str) -> None:
        """Take note that the provider ``name`` does not see its source just now."""
        state = self.states[name]
        state.status, state.error = "reconnecting", reason

    async def _keep(self, name: str, provider: Provider) -> None:
        state = self.states[name]
        context = Context(self, name)
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await provider.run(context)
            except ProviderUnavailable as error:
                is_known = (state.status, state.error) == ("unavailable", str(error))
                state.status, state.error = "unavailable", str(error)
                log.log(
                    logging.DEBUG if is_known else logging.ERROR,
                    "Provider unavailable, what it said before stays in force",
                    extra=fields(provider=name, error=str(error), retry=f"{pause:g}s"),
                )
            except Exception as error:
                state.status, state.error = "failed", f"{type(error).__name__}: {error}"
                log.exception("Provider failed", extra=fields(provider=name, retry=f"{pause:g}s"))
            else:
                state.status = "ended"
                state.spoken.set()
                return
            state.failures += 1
            state.spoken.set()
            if time.monotonic() - began > STABLE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


class Context(ProviderContext):
    """A provider's way to us; may be used from any thread."""

    def __init__(self, providers: Providers, name: str) -> None:
        self._providers = providers
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def publish(
        self, configuration: DynamicConfiguration, diagnostics: Sequence[Diagnostic] = ()
    ) -> None:
        self._call(self._providers.published, self._name, configuration, tuple(diagnostics))

    def fence(self, urls: Iterable[str]) -> None:
        self._call(self._providers.fenced, self._name, frozenset(urls))

    def reconnecting(self, reason: str) -> None:
        self._call(self._providers.reconnecting, self._name, reason)

    def _call(self, function: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        if threading.get_ident() == self._thread:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)
