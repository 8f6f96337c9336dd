"""The table: places, eviction, and locks that a killed process gives back."""

import math
import mmap
import os
import select
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.shared.table import WAYS, Table, size_of

RANK = struct.Struct("d")
RECORD = 16


class Memory:
    """A table in memory of its own."""

    def __init__(self, sets: int) -> None:
        self.descriptor = os.memfd_create("test")
        size = size_of(sets, RECORD)
        os.ftruncate(self.descriptor, size)
        self.bytes = mmap.mmap(self.descriptor, size)
        self.table = Table(self.bytes, self.descriptor, 0, sets, RECORD, b"secret")

    def put(self, key: bytes, rank: float) -> int:
        number, offset = self.table.lock(key)
        if offset >= 0:
            RANK.pack_into(self.bytes, offset, rank)
        self.table.unlock(number)
        return offset

    def has(self, key: bytes) -> float | None:
        """Return the rank of a key, None without a record; looks without touching anything."""
        digest, number = self.table._place(key)
        start = number * self.table._stride
        at = self.bytes.find(digest, start, start + WAYS * len(digest))
        return self.table.ranks(number)[(at - start) // len(digest)] if at >= 0 else None

    def rank(self, key: bytes) -> float:
        number, offset = self.table.lock(key)
        self.table.unlock(number)
        return float(RANK.unpack_from(self.bytes, offset)[0])


def test_a_key_keeps_its_record() -> None:
    memory = Memory(64)
    keys = [b"key %d" % number for number in range(100)]
    offsets = [memory.put(key, float(number + 1)) for number, key in enumerate(keys)]
    assert len(set(offsets)) == len(keys)
    assert [memory.rank(key) for key in keys] == [float(n + 1) for n in range(100)]
    assert len(memory.table.occupied()) == len(keys)


def test_the_lowest_rank_makes_room() -> None:
    memory = Memory(1)
    for number in range(WAYS):
        memory.put(b"%d" % number, 100.0 + number)
    memory.put(b"0", 200.0)
    memory.put(b"new", 300.0)
    assert memory.rank(b"0") == 200.0
    assert memory.rank(b"new") == 300.0
    assert memory.rank(b"1") == 0.0, "the record that had been idle for longest is a new one"


def test_records_of_infinite_rank_stay() -> None:
    memory = Memory(1)
    offsets = [memory.put(b"%d" % number, math.inf) for number in range(WAYS)]
    assert min(offsets) >= 0
    assert memory.put(b"new", 1.0) == -1
    assert [memory.rank(b"%d" % number) for number in range(WAYS)] == [math.inf] * WAYS


HOLDER = """
import mmap, sys
from edgerouter.shared.table import Table
descriptor = int(sys.argv[1])
memory = mmap.mmap(descriptor, 0)
Table(memory, descriptor, 0, 1, 16, b"secret").lock(b"key")
print("locked", flush=True)
sys.stdin.read()
"""


def hold(memory: Memory) -> subprocess.Popen[bytes]:
    """Start a process that locks the set, says so and keeps it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(memory.descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[memory.descriptor],
    )


@pytest.mark.timeout(20)
def test_a_process_that_is_killed_gives_its_lock_back() -> None:
    memory = Memory(1)
    with hold(memory) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with hold(memory) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            assert waiting.stdout is not None
            assert not select.select([waiting.stdout], [], [], 0)[0], "it waits for the lock"
            holder.kill()
            assert waiting.stdout.readline() == b"locked\n"
            waiting.kill()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=WAYS, max_size=60))
def test_no_owner_loses_a_record_within_its_share(puts: list[tuple[int, int]]) -> None:
    memory = Memory(1)
    future = time.monotonic() + 1000.0
    kept: dict[bytes, float] = {}
    for turn, (owner, number) in enumerate(puts):
        key = b"limit\0%d\0%d" % (owner, number)
        kept[key] = future + turn * 7919 % 61  # In no order.
        memory.put(key, kept[key])
        lost = {key for key in kept if memory.has(key) != kept[key]}
        assert len(lost) <= 1
        for key in lost:
            name = key.rpartition(b"\0")[0]
            assert sum(each.startswith(name) for each in kept) > WAYS // 4
            del kept[key]
    assert len(kept) == min(WAYS, len(set(puts)))


def test_what_is_past_goes_first() -> None:
    memory = Memory(1)
    future = time.monotonic() + 1000.0
    for number in range(WAYS - 1):
        memory.put(b"limit\0flooded\0%d" % number, future)
    memory.put(b"limit\0other\0x", 1.0)
    memory.put(b"limit\0flooded\0new", future)
    assert memory.has(b"limit\0other\0x") is None
    assert memory.has(b"limit\0flooded\0new") == future
    assert len(memory.table.occupied()) == WAYS
