"""The latest configuration of each provider, handed on at a bearable pace.

The first change goes out at once. Those that follow within
``providers.providersThrottleDuration`` of it wait until a short quiet has
ended the burst, at most until that duration has passed. Equal configurations
are dropped. Removed servers do not wait for any of this: providers fence them.
Neither does the first server of a service that had none, as clients wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import Service

QUIET = 0.05
"""Seconds without a change that end a burst."""

SHARE = 4
"""A burst's quiet is at least this many times as long as the last rebuild took."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What one provider said last."""

    configuration: DynamicConfiguration
    diagnostics: tuple[Diagnostic, ...]


Publications = Mapping[str, Publication]


class Aggregator:
    """Collects publications and calls ``rebuild`` with all of them, never twice at a time."""

    def __init__(
        self,
        throttle: float,
        rebuild: Callable[[Publications], Awaitable[None]],
    ) -> None:
        self._throttle = throttle
        self._rebuild = rebuild
        self._clock = asyncio.get_running_loop().time
        self._latest: dict[str, Publication] = {}
        self._changed = asyncio.Event()
        self._last_offer = 0.0
        self._is_urgent = False
        self._hurried = asyncio.Event()
        self._is_rebuilding = False

    @property
    def is_idle(self) -> bool:
        """Whether everything offered has been rebuilt."""
        return not self._changed.is_set() and not self._is_rebuilding

    def offer(
        self,
        provider: str,
        configuration: DynamicConfiguration,
        diagnostics: tuple[Diagnostic, ...] = (),
    ) -> None:
        """Take the newest configuration of ``provider``."""
        publication = Publication(configuration, diagnostics)
        known = self._latest.get(provider)
        if known == publication:
            return
        if known is not None and _revives(known.configuration, configuration):
            self._is_urgent = True
            self._hurried.set()
        self._latest[provider] = publication
        self._last_offer = self._clock()
        self._changed.set()

    def rebuild_soon(self) -> None:
        """Ask for a rebuild although no provider has said anything new."""
        self._changed.set()

    async def run(self) -> None:
        """Rebuild after changes, until cancelled."""
        finished, took = float("-inf"), 0.0
        while True:
            await self._changed.wait()
            while (pause := self._pause(finished, took)) > 0:
                self._hurried.clear()
                with suppress(TimeoutError):  # An urgent change may come meanwhile.
                    # Not wait_for, which loses a cancellation that comes with the event.
                    async with asyncio.timeout(pause):
                        await self._hurried.wait()
            self._changed.clear()
            self._is_urgent = False
            began = self._clock()
            self._is_rebuilding = True
            await self._rebuild(dict(self._latest))
            self._is_rebuilding = False
            finished = self._clock()
            took = finished - began

    def _pause(self, finished: float, took: float) -> float:
        """Return the seconds to wait before the pending change may go out."""
        if self._is_urgent:
            return finished + SHARE * took - self._clock()
        latest = finished + self._throttle
        if self._clock() >= latest:
            return 0.0
        quiet = self._last_offer + max(QUIET, SHARE * took)
        return min(quiet, latest) - self._clock()


def _revives(old: DynamicConfiguration, new: DynamicConfiguration) -> bool:
    """Tell whether a service without a server gets one."""
    services = new.http.services
    return any(
        name in services and _servers(services[name]) > _servers(service) == 0
        for name, service in old.http.services.items()
    )


def _servers(service: Service) -> int:
    return len(service.load_balancer.servers) if service.load_balancer is not None else 0
