"""How many requests of a source are under way in all workers.

Every record has one count for each worker, which only that worker changes: when
it dies, the control plane sets its counts to zero, and nothing is lost or stays
for ever.
"""

import math
import mmap
import struct
from time import monotonic

from edgerouter.shared.table import Table

_RANK = struct.Struct("d")
_COUNT = struct.Struct("I")


def record_size(workers: int) -> int:
    """Return the bytes of a record: the rank and a count for each worker."""
    return _RANK.size + (workers + workers % 2) * _COUNT.size


class InFlight:
    """Counts of requests under way, by key."""

    def __init__(self, memory: mmap.mmap, table: Table, workers: int, worker: int) -> None:
        self._memory = memory
        self._table = table
        self._counts = struct.Struct(f"{workers}I")
        self._own = _RANK.size + worker * _COUNT.size
        self.worker = worker
        """The number of this worker."""

    def enter(self, key: bytes, limit: int) -> bool:
        """Count one more request of ``key`` unless there are ``limit`` of them already.

        A new key that finds no place because thousands of others have requests
        under way is let in; ``leave`` bears it.
        """
        memory = self._memory
        number, offset = self._table.lock(key)
        try:
            if offset < 0:
                return limit > 0
            if sum(self._counts.unpack_from(memory, offset + _RANK.size)) >= limit:
                return False
            (own,) = _COUNT.unpack_from(memory, offset + self._own)
            _RANK.pack_into(memory, offset, math.inf)
            _COUNT.pack_into(memory, offset + self._own, own + 1)
        finally:
            self._table.unlock(number)
        return True

    def leave(self, key: bytes) -> None:
        """Count one request of ``key`` less."""
        memory = self._memory
        number, offset = self._table.lock(key)
        try:
            if offset < 0:
                return
            (own,) = _COUNT.unpack_from(memory, offset + self._own)
            if own:
                _COUNT.pack_into(memory, offset + self._own, own - 1)
            self._rank(offset)
        finally:
            self._table.unlock(number)

    def count(self, key: bytes) -> int:
        """Return how many requests of ``key`` are under way."""
        return sum(self.by_worker(key))

    def by_worker(self, key: bytes) -> tuple[int, ...]:
        """Return how many requests of ``key`` are under way in each worker."""
        number, offset = self._table.lock(key)
        try:
            if offset < 0:
                return ()
            return self._counts.unpack_from(self._memory, offset + _RANK.size)
        finally:
            self._table.unlock(number)

    def forget(self, worker: int) -> None:
        """Set the counts of a worker that has died to zero."""
        place = _RANK.size + worker * _COUNT.size
        for number, offset in self._table.occupied():
            if self._memory[offset + place : offset + place + _COUNT.size] == bytes(_COUNT.size):
                continue
            self._table.lock_set(number)
            try:
                _COUNT.pack_into(self._memory, offset + place, 0)
                self._rank(offset)
            finally:
                self._table.unlock(number)

    def _rank(self, offset: int) -> None:
        """Let go of a record that counts nothing."""
        if not any(self._counts.unpack_from(self._memory, offset + _RANK.size)):
            _RANK.pack_into(self._memory, offset, monotonic())
