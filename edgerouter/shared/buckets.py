"""Token buckets that all workers take from."""

import math
import mmap
import struct
from time import monotonic

from edgerouter.shared.table import Table

# When it is full again (the rank: then it is as good as a new one), when it was last taken from,
# and how many tokens there were then.
RECORD = struct.Struct("ddd")


class Buckets:
    """Token buckets by key; the clock is that of the machine (``CLOCK_MONOTONIC``)."""

    def __init__(self, memory: mmap.mmap, table: Table) -> None:
        self._memory = memory
        self._table = table

    def take(
        self,
        key: bytes,
        rate: float,
        capacity: float,
        patience: float,
        lifetime: float = math.inf,
    ) -> tuple[float, float]:
        """Take a token, if need be one that comes into being only later.

        Args:
            key: whose bucket; a new one is full.
            rate: tokens a second that come into being, above zero.
            capacity: tokens a bucket can hold.
            patience: seconds that the token may be waited for.
            lifetime: seconds after which a bucket that nobody has asked for is full again.

        Returns:
            The seconds to wait and the tokens left, below zero while there is a
            debt. With a longer wait than ``patience`` nothing was taken.
        """
        table = self._table
        number, offset = table.lock(key)
        try:
            now = monotonic()
            _, last, tokens = RECORD.unpack_from(self._memory, offset)
            if last == 0.0 or now - last > lifetime:
                tokens = capacity
            else:
                # A larger rate or capacity may have come with a new configuration meanwhile.
                tokens += (now - last) * rate if now > last else 0.0
                tokens = min(capacity, tokens)
            wait = (1.0 - tokens) / rate if tokens < 1.0 else 0.0
            if wait <= patience:
                tokens -= 1.0
            full = now + (capacity - tokens) / rate
            RECORD.pack_into(self._memory, offset, full, now, tokens)
        finally:
            if not table.alone:
                table.unlock(number)
        return wait, tokens

    def give_back(self, key: bytes, rate: float, capacity: float) -> None:
        """Put a token back that was taken a moment ago."""
        number, offset = self._table.lock(key)
        try:
            full, last, tokens = RECORD.unpack_from(self._memory, offset)
            if last:
                tokens = min(capacity, tokens + 1.0)
                RECORD.pack_into(self._memory, offset, full - 1.0 / rate, last, tokens)
        finally:
            self._table.unlock(number)
