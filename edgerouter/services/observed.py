"""Servers that are watched: requests under way, times, failures in a row.

Only services that need one of these pay for it: their servers' ``forward`` is
wrapped when the service is built.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from edgerouter.http.errors import ExchangeError
from edgerouter.http.message import Request, Response
from edgerouter.http.watched import when_done
from edgerouter.services.server import Server, ServerState
from edgerouter.services.slots import Slots
from edgerouter.services.strategies import note_time

MAX_GROWTH = 10
"""An outlier that fails again and again rests up to so many times as long (Envoy: 300 s)."""


class FailureLimit:
    """``passiveHealthCheck``, nginx's ``maxFails``, or Envoy's ``outlierDetection``."""

    __slots__ = ("attempts", "grows", "percent", "rest", "spares_last", "window")

    def __init__(
        self,
        attempts: int,
        window: float,
        rest: float,
        *,
        percent: int = 100,
        spares_last: bool = False,
        grows: bool = False,
    ) -> None:
        self.attempts = max(attempts, 1)
        """So many failures in a row within ``window`` seconds put a server to rest."""
        self.window = window
        self.rest = rest
        """Seconds for which a server rests."""
        self.percent = percent
        """How many of 100 servers may rest at once; one may always."""
        self.spares_last = spares_last
        """Whether servers at rest are asked when there is no other."""
        self.grows = grows
        """Whether the rest is longer each time."""

    def allows(self, servers: Sequence[Server]) -> bool:
        """Tell whether one more of ``servers`` may rest."""
        resting = sum(server.state.out for server in servers)
        return not resting or (resting + 1) * 100 <= self.percent * len(servers)


def failure_limit(options: Mapping[str, Any]) -> FailureLimit | None:
    """Return the limit that the options of a load balancer set, or None."""
    passive = options.get("passiveHealthCheck")
    if passive is not None:
        window = passive.get("failureWindow") or 10.0
        # With active checks the server is back when one has succeeded, at the next interval.
        check = options.get("healthCheck")
        rest = (check.get("interval") or 30.0) if check is not None else window
        return FailureLimit(passive.get("maxFailedAttempts") or 1, window, rest)
    if options.get("maxFails"):
        window = options.get("failTimeout") or 10.0
        return FailureLimit(options["maxFails"], window, window, spares_last=True)
    outliers = options.get("outlierDetection")
    if outliers is not None:
        return FailureLimit(
            outliers.get("consecutive5xx") or 5,
            float("inf"),
            outliers.get("baseEjectionTime") or 30.0,
            percent=outliers.get("maxEjectionPercent") or 50,
            grows=True,
        )
    return None


class Observed:
    """Forwards to ``server`` and keeps its state."""

    __slots__ = ("_forward", "_limit", "_loop", "_servers", "_slots", "server")

    def __init__(
        self,
        server: Server,
        servers: Sequence[Server],
        limit: FailureLimit | None,
        slots: Slots | None = None,
    ) -> None:
        self.server = server
        self._servers = servers
        self._forward = server.forward
        self._limit = limit
        self._slots = slots
        """Where a place was taken for every request that comes here."""
        self._loop = asyncio.get_running_loop()

    async def __call__(self, request: Request) -> Response:
        state = self.server.state
        state.active += 1
        start = perf_counter()
        try:
            response = await self._forward(request)
        except ExchangeError as error:
            self._left()
            if error.source == "upstream":
                self._failed()
            raise
        except BaseException:
            self._left()
            raise
        note_time(self.server, perf_counter() - start)
        if response.status >= 500:
            self._failed()
        elif state.failures:
            state.failures.clear()
        return when_done(response, self._left)

    def _left(self) -> None:
        state = self.server.state
        state.active -= 1
        if self._slots is not None:
            self._slots.give(self.server)
        state.left()

    def _failed(self) -> None:
        limit, state = self._limit, self.server.state
        if limit is None:
            return
        now = self._loop.time()
        failures = state.failures
        failures.append(now)
        while failures[0] < now - limit.window or len(failures) > limit.attempts:
            failures.popleft()
        if len(failures) >= limit.attempts and not state.out and limit.allows(self._servers):
            self._put_to_rest(limit, now)

    def _put_to_rest(self, limit: FailureLimit, now: float) -> None:
        state = self.server.state
        state.out = True
        rest = limit.rest
        if limit.grows:
            well = now - state.back_since > MAX_GROWTH * limit.rest
            state.rests = 1 if well else min(state.rests + 1, MAX_GROWTH)
            rest *= state.rests
        self._loop.call_later(rest, _end_rest, state)
        state.changed()


def _end_rest(state: ServerState) -> None:
    state.out = False
    state.back_since = asyncio.get_running_loop().time()
    state.failures.clear()
    state.changed()
