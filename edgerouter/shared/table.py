"""Records in shared memory, found by key: a hash table of fixed size with a lock for each set.

A key may stand in one of the eight places of one set. A new key takes the place
of the record with the lowest rank, so nothing ever grows. A record begins with
its rank, a float of eight bytes: mostly the time of its last use; an infinite
one is never given away.

Locks are POSIX record locks (``fcntl(2)``) on a byte for each set: the kernel
gives them back when a process dies, however it dies, and a pair of lock and
unlock costs 0.6 microseconds, hardly more than one ``flock`` for the whole table.
Locks of open file descriptions would not part the workers, who inherit one
description; process-shared semaphores are cheaper, but stay locked for ever
when their holder is killed.
"""

import fcntl
import math
import mmap
import struct
from functools import lru_cache
from hashlib import blake2b

from edgerouter.http.memory import LONGEST

WAYS = 8
"""Places in a set."""
_DIGEST = 16
_INDEX = WAYS * _DIGEST
_RANK = struct.Struct("d")
_REMEMBERED = 8192
"""Keys whose place a process remembers, so as not to hash them again."""


class Table:
    """One table within a shared memory.

    Not for several threads: POSIX locks part processes, not threads.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        descriptor: int,
        start: int,
        sets: int,
        record: int,
        secret: bytes,
        *,
        alone: bool = False,
    ) -> None:
        """Prepare; who is ``alone`` with a table needs no locks."""
        self.alone = alone
        self._memory = memory
        self._descriptor = descriptor
        self._start = start
        self._records = start + sets * _INDEX
        self._sets = sets
        self._size = record
        self._secret = secret
        self._place = lru_cache(_REMEMBERED)(self._place_anew)

    def lock(self, key: bytes) -> tuple[int, int]:
        """Lock the set of ``key``; return its number for ``unlock`` and where the record is.

        A new record is all zero. It is at -1 where every place is taken for good.
        """
        # As ``memory.remembered`` does it, without a call: this is done for most requests.
        place = self._place if len(key) <= LONGEST else self._place_anew
        digest, number = place(key)
        if not self.alone:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, self._start + number)
        index = self._start + number * _INDEX
        found = self._memory.find(digest, index, index + _INDEX)
        if found < 0 or (found - index) % _DIGEST:
            return number, self._claim(digest, number)
        way = (found - index) // _DIGEST
        return number, self._records + (number * WAYS + way) * self._size

    def unlock(self, number: int) -> None:
        """Unlock the set."""
        if self.alone:
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, self._start + number)

    def _claim(self, digest: bytes, number: int) -> int:
        """Give the place with the lowest rank to a new key."""
        memory = self._memory
        first = self._records + number * WAYS * self._size
        rank, way = min((rank, way) for way, rank in enumerate(self.ranks(number)))
        if rank == math.inf:
            return -1
        offset: int = first + way * self._size
        # In this order, a process that is killed in between leaves nothing worse than a new record.
        memory[offset : offset + self._size] = bytes(self._size)
        index = self._start + number * _INDEX + way * _DIGEST
        memory[index : index + _DIGEST] = digest
        return offset

    def ranks(self, number: int) -> list[float]:
        """Return the ranks of all places of a set, which is locked; 0 is free."""
        first = self._records + number * WAYS * self._size
        places = range(first, first + WAYS * self._size, self._size)
        return [_RANK.unpack_from(self._memory, place)[0] for place in places]

    def occupied(self) -> list[tuple[int, int]]:
        """Return set and place of every record in use; nothing is locked."""
        index = self._memory[self._start : self._records]
        nobody = bytes(_DIGEST)
        return [
            (slot // WAYS, self._records + slot * self._size)
            for slot in range(self._sets * WAYS)
            if index[slot * _DIGEST : (slot + 1) * _DIGEST] != nobody
        ]

    def lock_set(self, number: int) -> None:
        """Lock a set by its number, as ``occupied`` gives it."""
        if self.alone:
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, self._start + number)

    def _place_anew(self, key: bytes) -> tuple[bytes, int]:
        # The secret keeps clients from choosing keys that push each other out of one set.
        digest = blake2b(key, digest_size=_DIGEST, key=self._secret).digest()
        return digest, int.from_bytes(digest[:4], "big") % self._sets


def size_of(sets: int, record: int) -> int:
    """Return the bytes of a table; a multiple of eight."""
    return sets * (_INDEX + WAYS * record)
