"""Figures about the answers of the last seconds, for conditions."""

import math
from collections.abc import Callable

SECONDS = 10
"""How far back statuses are counted."""
PERIOD = 10.0
PERIODS = 6
"""Latencies are kept for as many periods, of as many seconds each."""
_NETWORK_ERRORS = (502, 504)
_STEP = math.log(1.01)
"""Latencies are known to one per cent."""


class Measures:
    """Rolling counts of statuses and latencies."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._statuses: dict[int, dict[int, int]] = {}
        self._latencies: dict[int, dict[int, int]] = {}

    def record(self, status: int, seconds: float) -> None:
        """Count an answer that took ``seconds``."""
        now = self._clock()
        _count(self._statuses, int(now), SECONDS, status)
        microseconds = max(seconds * 1e6, 1.0)
        _count(self._latencies, int(now / PERIOD), PERIODS, int(math.log(microseconds) / _STEP))

    def network_error_ratio(self) -> float:
        """Return the share of answers that are 502 or 504."""
        counts = self._by_status()
        total = sum(counts.values())
        return sum(counts.get(status, 0) for status in _NETWORK_ERRORS) / total if total else 0.0

    def response_code_ratio(
        self, first: float, end: float, divided_first: float, divided_end: float
    ) -> float:
        """Return the answers from ``first`` to below ``end`` divided by those of the others."""
        counts = self._by_status()
        part = sum(number for status, number in counts.items() if first <= status < end)
        whole = sum(
            number for status, number in counts.items() if divided_first <= status < divided_end
        )
        return part / whole if whole else 0.0

    def latency_at_quantile(self, quantile: float) -> int:
        """Return the milliseconds that ``quantile`` per cent of the answers did not exceed."""
        oldest = int(self._clock() / PERIOD) - PERIODS
        counts: dict[int, int] = {}
        for period, steps in self._latencies.items():
            if period > oldest:
                for step, number in steps.items():
                    counts[step] = counts.get(step, 0) + number
        wanted = math.ceil(sum(counts.values()) * min(quantile, 100.0) / 100.0)
        seen = 0
        for step in sorted(counts):
            seen += counts[step]
            if seen >= wanted:
                return int(math.exp((step + 0.5) * _STEP) / 1000)
        return 0

    def _by_status(self) -> dict[int, int]:
        oldest = int(self._clock()) - SECONDS
        counts: dict[int, int] = {}
        for second, statuses in self._statuses.items():
            if second > oldest:
                for status, number in statuses.items():
                    counts[status] = counts.get(status, 0) + number
        return counts


def _count(slots: dict[int, dict[int, int]], slot: int, kept: int, key: int) -> None:
    """Count ``key`` in a slot of time; slots that are too old make room."""
    counts = slots.get(slot)
    if counts is None:
        for old in [known for known in slots if known <= slot - kept]:
            del slots[old]
        counts = slots[slot] = {}
    counts[key] = counts.get(key, 0) + 1
