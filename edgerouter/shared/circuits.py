"""Circuit breakers whose counts and state hold over all workers.

A record is the state, a ring of ten seconds with a count for every status, and a
ring of six periods of ten seconds with a count for every class of latency.
"""

import math
import mmap
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgerouter.shared.table import Table

CLOSED: Final = 0
OPEN: Final = 1
RECOVERING: Final = 2

# Rank (the time of the last use), end of the state, next check; state, admitted, denied, padding.
_HEAD = struct.Struct("=dddIIII")
_STAMP = struct.Struct("=I")
_COUNT = struct.Struct("=H")
_MOST = 0xFFFF

SECONDS = 10
PERIOD = 10.0
PERIODS = 6
_FIRST_STATUS = 100
_STATUSES = 500
_STEP = math.log(1.02)
"""Latencies are known to one per cent either way."""
_STEPS = 1152
"""Up to two hours."""
_SECOND_SIZE = _STAMP.size + _STATUSES * _COUNT.size
_PERIOD_SIZE = _STAMP.size + _STEPS * _COUNT.size
_SECONDS_AT = _HEAD.size
_PERIODS_AT = _SECONDS_AT + SECONDS * _SECOND_SIZE
RECORD_SIZE = -(-(_PERIODS_AT + PERIODS * _PERIOD_SIZE) // 8) * 8


@dataclass(frozen=True, slots=True)
class Times:
    """How long the states last, in seconds."""

    check_period: float
    fallback: float
    recovery: float


class Measures:
    """The figures of one circuit breaker, as they were when it was looked at."""

    __slots__ = ("_latencies", "_statuses")

    def __init__(self, statuses: list[int], latencies: list[int]) -> None:
        self._statuses = statuses
        self._latencies = latencies

    def network_error_ratio(self) -> float:
        """Return the share of answers that are 502 or 504."""
        total = sum(self._statuses)
        return (self._count(502, 503) + self._count(504, 505)) / total if total else 0.0

    def response_code_ratio(
        self, first: float, end: float, divided_first: float, divided_end: float
    ) -> float:
        """Return the answers from ``first`` to below ``end`` divided by those of the others."""
        whole = self._count(divided_first, divided_end)
        return self._count(first, end) / whole if whole else 0.0

    def latency_at_quantile(self, quantile: float) -> int:
        """Return the milliseconds that ``quantile`` per cent of the answers did not exceed."""
        wanted = math.ceil(sum(self._latencies) * min(quantile, 100.0) / 100.0)
        seen = 0
        for step, number in enumerate(self._latencies):
            seen += number
            if number and seen >= wanted:
                return int(math.exp((step + 0.5) * _STEP) / 1000)
        return 0

    def _count(self, first: float, end: float) -> int:
        start, stop = (max(math.ceil(border) - _FIRST_STATUS, 0) for border in (first, end))
        return sum(self._statuses[start:stop])


class Circuits:
    """Circuit breakers by key; times are those of the machine (``CLOCK_MONOTONIC``)."""

    def __init__(self, memory: mmap.mmap, table: Table) -> None:
        self._memory = memory
        self._table = table

    def admits(self, key: bytes, times: Times, now: float) -> bool:
        """Tell whether a request may pass now; in the state of recovery it is counted."""
        number, offset = self._table.lock(key)
        try:
            _, until, check, state, admitted, denied, _ = _HEAD.unpack_from(self._memory, offset)
            if state == CLOSED:
                return True
            if state == OPEN:
                if now < until:
                    return False
                state, until, admitted, denied = RECOVERING, now + times.recovery, 0, 0
            if now > until:
                passes, state = True, CLOSED
            else:
                # The share grows to a half: then as many pass as have been turned away.
                share = 0.5 * (1.0 - (until - now) / times.recovery)
                passes = (admitted + 1) / (admitted + 1 + denied) < share
                admitted, denied = admitted + passes, denied + (not passes)
            _HEAD.pack_into(self._memory, offset, now, until, check, state, admitted, denied, 0)
            return passes
        finally:
            self._table.unlock(number)

    def record(
        self,
        key: bytes,
        status: int,
        seconds: float,
        times: Times,
        now: float,
        trips: Callable[[Measures], bool],
    ) -> bool:
        """Count an answer; open the circuit, and return True, if now it ``trips``."""
        number, offset = self._table.lock(key)
        try:
            self._add(offset, status, seconds, now)
            _, until, check, state, admitted, denied, _ = _HEAD.unpack_from(self._memory, offset)
            opens = False
            if now > check:
                check = now + times.check_period
                opens = state != OPEN and trips(self._measures(offset, now))
            if opens:
                state, until = OPEN, now + times.fallback
                size = RECORD_SIZE - _SECONDS_AT
                self._memory[offset + _SECONDS_AT : offset + RECORD_SIZE] = bytes(size)
            _HEAD.pack_into(self._memory, offset, now, until, check, state, admitted, denied, 0)
            return opens
        finally:
            self._table.unlock(number)

    def _add(self, offset: int, status: int, seconds: float, now: float) -> None:
        if _FIRST_STATUS <= status < _FIRST_STATUS + _STATUSES:
            second = int(now)
            slot = offset + _SECONDS_AT + second % SECONDS * _SECOND_SIZE
            self._count(slot, _SECOND_SIZE, second, status - _FIRST_STATUS)
        period = int(now / PERIOD)
        slot = offset + _PERIODS_AT + period % PERIODS * _PERIOD_SIZE
        step = int(math.log(max(seconds * 1e6, 1.0)) / _STEP)
        self._count(slot, _PERIOD_SIZE, period, min(step, _STEPS - 1))

    def _count(self, slot: int, size: int, stamp: int, index: int) -> None:
        memory = self._memory
        if _STAMP.unpack_from(memory, slot)[0] != stamp:
            memory[slot : slot + size] = _STAMP.pack(stamp) + bytes(size - _STAMP.size)
        place = slot + _STAMP.size + index * _COUNT.size
        (count,) = _COUNT.unpack_from(memory, place)
        _COUNT.pack_into(memory, place, min(count + 1, _MOST))

    def _measures(self, offset: int, now: float) -> Measures:
        return Measures(
            self._sum(offset + _SECONDS_AT, _SECOND_SIZE, SECONDS, int(now)),
            self._sum(offset + _PERIODS_AT, _PERIOD_SIZE, PERIODS, int(now / PERIOD)),
        )

    def _sum(self, start: int, size: int, slots: int, newest: int) -> list[int]:
        """Add up those slots of a ring that are not too old."""
        added: list[int] = [0] * ((size - _STAMP.size) // _COUNT.size)
        for slot in range(start, start + slots * size, size):
            (stamp,) = _STAMP.unpack_from(self._memory, slot)
            if newest - slots < stamp <= newest:
                counts = array("H", self._memory[slot + _STAMP.size : slot + size])
                added = [one + other for one, other in zip(added, counts, strict=True)]
        return added
