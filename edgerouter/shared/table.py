"""Records in shared memory, found by key: a hash table of fixed size with a lock for each set.

A key may stand in one of the sixteen places of one set, so nothing ever grows. A
record begins with its rank, a float of eight bytes: the moment (``CLOCK_MONOTONIC``)
from which on nothing is lost with it; an infinite one is never given away. A new key
takes the place with the lowest rank if that moment is past. Else the owner of most
places in the set, such as the limit that is flooded, gives up its lowest: no owner
loses a record while it has no more than its share.

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
import os
import struct
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from edgerouter.http.memory import LONGEST

WAYS = 16
"""Places in a set."""
_DIGEST = 16
_OWNER = 4
"""As many bytes of a digest tell whose the key is."""
_INDEX = WAYS * _DIGEST
_REMEMBERED = 8192
"""Keys whose place a process remembers, so as not to hash them again."""
_OWNERS = 1024
_BLOCK = 64
"""Sets that are read at a time."""


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
        self._sets = sets
        self._size = record
        self._stride = size_of(1, record)
        self._ranks = struct.Struct(f"d{record - 8}x" * WAYS)
        self._secret = secret
        self._place = lru_cache(_REMEMBERED)(self._place_anew)
        self._owner = lru_cache(_OWNERS)(self._owner_anew)

    def lock(self, key: bytes) -> tuple[int, int]:
        """Lock the set of ``key``; return its number for ``unlock`` and where the record is.

        A new record is all zero. It is at -1 where every place is taken for good.
        """
        # As ``memory.remembered`` does it, without a call: this is done for most requests.
        place = self._place if len(key) <= LONGEST else self._place_anew
        digest, number = place(key)
        if not self.alone:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, self._start + number)
        index = self._start + number * self._stride
        found = self._memory.find(digest, index, index + _INDEX)
        if found < 0 or (found - index) % _DIGEST:
            return number, self._claim(digest, number)
        return number, index + _INDEX + (found - index) // _DIGEST * self._size

    def unlock(self, number: int) -> None:
        """Unlock the set."""
        if self.alone:
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, self._start + number)

    def _claim(self, digest: bytes, number: int) -> int:
        """Give a place to a new key."""
        memory = self._memory
        ranks = self.ranks(number)
        lowest = min(ranks)
        way = ranks.index(lowest)
        if lowest > monotonic():
            if lowest == math.inf:
                return -1
            way = self._way_of_most(number, ranks, digest[:_OWNER])
        index = self._start + number * self._stride
        offset = index + _INDEX + way * self._size
        # In this order, a process that is killed in between leaves nothing worse than a new record.
        memory[offset : offset + self._size] = bytes(self._size)
        index += way * _DIGEST
        memory[index : index + _DIGEST] = digest
        return offset

    def _way_of_most(self, number: int, ranks: Sequence[float], newcomer: bytes) -> int:
        """Return the place of lowest rank of the owner with most places, a newcomer's counted."""
        index = self._start + number * self._stride
        ways = [way for way, rank in enumerate(ranks) if rank < math.inf]
        starts = range(index, index + _INDEX, _DIGEST)
        owners = {way: self._memory[starts[way] : starts[way] + _OWNER] for way in ways}
        counts = Counter((newcomer, *owners.values()))
        return min(ways, key=lambda way: (-counts[owners[way]], ranks[way]))

    def ranks(self, number: int) -> tuple[float, ...]:
        """Return the ranks of all places of a set, which is locked; 0 is free."""
        first = self._start + number * self._stride + _INDEX
        return self._ranks.unpack_from(self._memory, first)

    def occupied(self) -> list[tuple[int, int]]:
        """Return set and place of every record in use; nothing is locked."""
        nobody, empty = bytes(_DIGEST), bytes(_INDEX)
        found = []
        block = b""
        for number in range(self._sets):
            start = self._start + number * self._stride
            if number % _BLOCK == 0:
                # Read like a file: this way pages that nobody has used stay unused.
                block = os.pread(self._descriptor, _BLOCK * self._stride, start)
            first = number % _BLOCK * self._stride
            index = block[first : first + _INDEX]
            if index == empty:
                continue
            found += [
                (number, start + _INDEX + way * self._size)
                for way in range(WAYS)
                if index[way * _DIGEST : (way + 1) * _DIGEST] != nobody
            ]
        return found

    def lock_set(self, number: int) -> None:
        """Lock a set by its number, as ``occupied`` gives it."""
        if self.alone:
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, self._start + number)

    def _place_anew(self, key: bytes) -> tuple[bytes, int]:
        # The secret keeps clients from choosing keys that push each other out of one set.
        size = _DIGEST - _OWNER
        digest = blake2b(key, digest_size=size, key=self._secret).digest()
        name = b"\0".join(key.split(b"\0", 2)[:2])
        owner = self._owner if len(name) <= LONGEST else self._owner_anew
        return owner(name) + digest, int.from_bytes(digest[:4], "big") % self._sets

    def _owner_anew(self, name: bytes) -> bytes:
        return blake2b(name, digest_size=_OWNER, key=self._secret).digest()


def size_of(sets: int, record: int) -> int:
    """Return the bytes of a table; a multiple of eight."""
    return sets * (_INDEX + WAYS * record)
