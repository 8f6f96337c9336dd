"""The shared memory: its size is bounded, its pages cost nothing until they are used."""

import os

from edgerouter.shared.memory import Shared, private


def test_the_size_is_bounded_and_only_what_is_used_takes_memory() -> None:
    shared = Shared.create(16)
    facts = os.fstat(shared.descriptor)
    assert facts.st_size < 80 * 1024 * 1024
    assert facts.st_blocks * 512 < 64 * 1024
    assert not os.get_inheritable(shared.descriptor)


def test_sources_without_number_take_no_more_than_the_size() -> None:
    shared = Shared.create(1)
    size = os.fstat(shared.descriptor).st_size
    for number in range(100_000):
        shared.buckets.take(b"source %d" % number, 1.0, 1.0, 0.0)
    facts = os.fstat(shared.descriptor)
    assert facts.st_size == size
    assert facts.st_blocks * 512 <= size + 4096


def test_two_memories_do_not_know_each_other() -> None:
    first, second = Shared.create(1), Shared.create(1)
    assert first.buckets.take(b"a", 0.01, 1.0, 0.0)[0] == 0.0
    assert second.buckets.take(b"a", 0.01, 1.0, 0.0)[0] == 0.0
    assert first.buckets.take(b"a", 0.01, 1.0, 0.0)[0] > 0.0


def test_there_is_one_private_memory() -> None:
    assert private() is private()
