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
from edgerouter.services.outliers import SuccessRates
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
        """How many of 100 servers may be away at once, for any reason; one may always rest."""
        self.spares_last = spares_last
        """Whether the last server does not rest, and servers at rest are asked without another."""
        self.grows = grows
        """Whether the rest is longer each time."""

    def allows(self, servers: Sequence[ServerState]) -> bool:
        """Tell whether one more of ``servers`` may rest, besides those that cannot be asked."""
        away = sum(state.out or state.gone for state in servers)
        if self.spares_last and away >= len(servers) - 1:
            return False
        is_first = not any(state.out for state in servers)
        return is_first or (away + 1) * 100 <= self.percent * len(servers)


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
        percent = outliers.get("maxEjectionPercent")
        return FailureLimit(
            outliers.get("consecutive5xx") or 5,
            float("inf"),
            outliers.get("baseEjectionTime") or 30.0,
            percent=50 if percent is None else percent,
            spares_last=True,
            grows=True,
        )
    return None


class Observed:
    """Forwards to ``server`` and keeps its state.

    It knows the states of servers and not the servers, which would be a cycle: what a change
    has replaced would stay until the garbage collector comes.
    """

    __slots__ = (
        "__weakref__",
        "_forward",
        "_limit",
        "_loop",
        "_rates",
        "_slots",
        "_state",
        "_states",
        "_url",
    )

    def __init__(
        self,
        server: Server,
        states: Sequence[ServerState],
        limit: FailureLimit | None,
        slots: Slots | None = None,
        rates: SuccessRates | None = None,
    ) -> None:
        self._url = server.url
        self._state = server.state
        self._states = states
        self._forward = server.forward
        self._limit = limit
        self._rates = rates
        self._slots = slots
        """Where a place was taken for every request that comes here."""
        self._loop = asyncio.get_running_loop()

    async def __call__(self, request: Request) -> Response:
        state = self._state
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
        note_time(state, perf_counter() - start)
        if response.status >= 500:
            self._failed()
        else:
            if state.failures:
                state.failures.clear()
            if self._rates is not None:
                self._rates.note(state, self._loop.time(), succeeded=True)
        return when_done(response, self._left)

    def _left(self) -> None:
        state = self._state
        state.active -= 1
        if self._slots is not None:
            self._slots.give(self._url)
        state.left()

    def _failed(self) -> None:
        limit, state = self._limit, self._state
        if limit is None:
            return
        now = self._loop.time()
        failures = state.failures
        failures.append(now)
        while failures[0] < now - limit.window or len(failures) > limit.attempts:
            failures.popleft()
        if len(failures) >= limit.attempts:
            put_to_rest(state, self._states, limit)
        if self._rates is not None:
            self._rates.note(state, now, succeeded=False)


def put_to_rest(state: ServerState, states: Sequence[ServerState], limit: FailureLimit) -> None:
    """Leave a server out for a while, if it is not out and ``limit`` allows one more of all."""
    if state.out or not limit.allows(states):
        return
    loop = asyncio.get_running_loop()
    state.out = True
    rest = limit.rest
    if limit.grows:
        well = loop.time() - state.back_since > MAX_GROWTH * limit.rest
        state.rests = 1 if well else min(state.rests + 1, MAX_GROWTH)
        rest *= state.rests
    loop.call_later(rest, _end_rest, state)
    state.changed()


def success_rates(
    states: Sequence[ServerState], options: Mapping[str, Any], limit: FailureLimit | None
) -> SuccessRates | None:
    """Return what compares the servers of a service with ``outlierDetection``, else None."""
    outliers = options.get("outlierDetection")
    if outliers is None or limit is None:
        return None
    return SuccessRates(states, outliers, lambda state: put_to_rest(state, states, limit))


def _end_rest(state: ServerState) -> None:
    state.out = False
    state.back_since = asyncio.get_running_loop().time()
    state.failures.clear()
    state.changed()
