"""Success rates: a server that fails much more often than the others is an outlier (Envoy).

Looked at once in an ``interval``, and only where enough servers had enough requests to
compare them.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from edgerouter.services.server import ServerState

INTERVAL = 10.0
MINIMUM_HOSTS = 5
REQUEST_VOLUME = 100
STDEV_FACTOR = 1900


class SuccessRates:
    """Counts the answers of all servers of one service in one worker."""

    __slots__ = ("_begun", "_eject", "_factor", "_hosts", "_interval", "_servers", "_volume")

    def __init__(
        self,
        servers: Sequence[ServerState],
        options: Mapping[str, Any],
        eject: Callable[[ServerState], None],
    ) -> None:
        """Use the options of ``outlierDetection``; ``eject`` is told of every outlier."""
        self._servers = servers
        self._eject = eject
        self._interval: float = options.get("interval") or INTERVAL
        self._hosts: int = options.get("successRateMinimumHosts") or MINIMUM_HOSTS
        self._volume: int = options.get("successRateRequestVolume") or REQUEST_VOLUME
        factor = options.get("successRateStdevFactor")
        self._factor = (STDEV_FACTOR if factor is None else factor) / 1000
        self._begun: float | None = None

    def note(self, state: ServerState, now: float, *, succeeded: bool) -> None:
        """Count one answer; ``now`` in seconds."""
        state.asked += 1
        state.succeeded += succeeded
        if self._begun is None:
            self._begun = now
        elif now - self._begun >= self._interval:
            self._begun = now
            self._sweep()

    def _sweep(self) -> None:
        rates = {
            state: state.succeeded / state.asked
            for state in self._servers
            if state.asked >= self._volume and not state.out
        }
        for state in self._servers:
            state.asked = state.succeeded = 0
        if len(rates) < self._hosts:
            return
        lowest = fmean(rates.values()) - self._factor * pstdev(rates.values())
        for state, rate in sorted(rates.items(), key=lambda item: item[1]):
            if rate < lowest:
                self._eject(state)
