"""Servers that are watched: requests under way, times, failures in a row.

Only services that need one of these pay for it: their servers' ``forward`` is
wrapped when the service is built.
"""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from edgerouter.http.errors import ExchangeError
from edgerouter.http.message import Request, Response
from edgerouter.http.watched import when_done
from edgerouter.services.server import Server, ServerState
from edgerouter.services.strategies import note_time


class FailureLimit:
    """``passiveHealthCheck``, and nginx's ``maxFails`` and ``failTimeout``."""

    __slots__ = ("attempts", "rest", "spares_last", "window")

    def __init__(
        self, attempts: int, window: float, *, rest: float = 0.0, spares_last: bool = False
    ) -> None:
        self.attempts = max(attempts, 1)
        """So many failures in a row within ``window`` seconds put a server to rest."""
        self.window = window
        self.rest = rest or window
        """Seconds for which a server rests."""
        self.spares_last = spares_last
        """Whether servers at rest are asked when there is no other."""


def failure_limit(options: Mapping[str, Any]) -> FailureLimit | None:
    """Return the limit that the options of a load balancer set, or None."""
    passive = options.get("passiveHealthCheck")
    if passive is not None:
        window = passive.get("failureWindow") or 10.0
        # With active checks the server is back when one has succeeded, at the next interval.
        check = options.get("healthCheck")
        rest = (check.get("interval") or 30.0) if check is not None else window
        return FailureLimit(passive.get("maxFailedAttempts") or 1, window, rest=rest)
    if options.get("maxFails"):
        window = options.get("failTimeout") or 10.0
        return FailureLimit(options["maxFails"], window, spares_last=True)
    return None


class Observed:
    """Forwards to ``server`` and keeps its state."""

    __slots__ = ("_forward", "_limit", "_loop", "server")

    def __init__(self, server: Server, limit: FailureLimit | None) -> None:
        self.server = server
        self._forward = server.forward
        self._limit = limit
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
        state.left()

    def _failed(self) -> None:
        limit, state = self._limit, self.server.state
        if limit is None:
            return
        now = self._loop.time()
        state.failures.append(now)
        while state.failures[0] < now - limit.window:
            state.failures.popleft()
        if len(state.failures) >= limit.attempts and not state.out:
            state.out = True
            self._loop.call_later(limit.rest, _end_rest, state)
            state.changed()


def _end_rest(state: ServerState) -> None:
    state.out = False
    state.failures.clear()
    state.changed()
