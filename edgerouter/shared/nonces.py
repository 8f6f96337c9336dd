"""Nonce counts of ``digestAuth`` that hold over all workers: none is taken twice.

A full set gives up the nonce that was made first. Whoever comes with one that
was made before all others of a full set may have been given up, so it is refused
as too old: forgetting never lets a reply pass again.
"""

import mmap
import struct
from typing import Literal

from edgerouter.shared.table import WAYS, Table

# When the nonce was made (the rank), and the highest count so far.
RECORD = struct.Struct("dd")

Verdict = Literal["new", "used", "forgotten"]


class Nonces:
    """The highest count of each nonce."""

    def __init__(self, memory: mmap.mmap, table: Table) -> None:
        self._memory = memory
        self._table = table

    def use(self, nonce: bytes, made: float, count: int) -> Verdict:
        """Take ``count`` of a nonce: ``used`` unless it is higher than any before.

        Args:
            nonce: what the server gave.
            made: when, on any clock that all workers read alike; above zero.
            count: the client's, from 1 on.
        """
        table = self._table
        number, offset = table.lock(nonce)
        try:
            known, highest = RECORD.unpack_from(self._memory, offset)
            if known == 0.0:
                others = [rank for rank in table.ranks(number) if rank > 0.0]
                if len(others) == WAYS - 1 and made <= min(others):
                    return "forgotten"
            if count <= highest:
                return "used"
            RECORD.pack_into(self._memory, offset, made, count)
            return "new"
        finally:
            table.unlock(number)
