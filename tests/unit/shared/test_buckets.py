"""Token buckets: waits, debts, and exactness over processes."""

import subprocess
import sys
import time

import pytest

from edgerouter.shared import memory
from edgerouter.shared.buckets import Buckets
from edgerouter.shared.memory import Shared

TAKER = """
import sys
from edgerouter.shared.memory import Shared
buckets = Shared(int(sys.argv[1]), 4, worker=int(sys.argv[2])).buckets
print("ready", flush=True)
sys.stdin.readline()
taken = 0
for _ in range(5000):
    wait, _ = buckets.take(b"key", 0.001, 1000.0, 0.0)
    taken += wait == 0.0
print(taken)
"""


def test_a_new_bucket_is_full_and_then_empty() -> None:
    buckets = Shared.create(1).buckets
    taken = [buckets.take(b"a", 0.5, 3.0, 0.0) for _ in range(4)]
    assert [wait == 0.0 for wait, _ in taken] == [True, True, True, False]
    assert taken[3][0] == pytest.approx(2.0, abs=0.2)
    assert taken[2][1] == pytest.approx(0.0, abs=0.1)
    assert buckets.take(b"b", 0.5, 3.0, 0.0)[0] == 0.0


def test_a_bucket_that_nobody_asks_for_may_be_full_again() -> None:
    buckets = Shared.create(1).buckets
    assert [buckets.take(b"a", 0.01, 2.0, 0.0)[0] > 0 for _ in range(3)] == [False, False, True]
    time.sleep(0.02)
    assert buckets.take(b"a", 0.01, 2.0, 0.0, 1.0)[0] > 0
    time.sleep(0.02)
    assert buckets.take(b"a", 0.01, 2.0, 0.0, 0.01)[0] == 0.0


def test_a_token_that_comes_soon_is_taken_beforehand() -> None:
    buckets = Shared.create(1).buckets
    waits = [buckets.take(b"a", 0.01, 1.0, 150.0)[0] for _ in range(4)]
    assert waits == pytest.approx([0.0, 100.0, 200.0, 200.0], abs=1.0)
    assert buckets.take(b"a", 0.01, 1.0, 150.0)[1] == pytest.approx(-1.0, abs=0.1)


def test_tokens_come_with_time_up_to_the_capacity() -> None:
    buckets = Shared.create(1).buckets
    for _ in range(3):
        buckets.take(b"a", 100.0, 3.0, 0.0)
    began = time.monotonic()
    while buckets.take(b"a", 100.0, 3.0, 0.0)[0]:
        assert time.monotonic() < began + 5
    time.sleep(0.1)
    assert buckets.take(b"a", 100.0, 3.0, 0.0)[1] == 2.0


def test_a_smaller_capacity_holds_at_once() -> None:
    buckets = Shared.create(1).buckets
    buckets.take(b"a", 0.01, 100.0, 0.0)
    assert buckets.take(b"a", 0.01, 2.0, 0.0)[1] == pytest.approx(1.0, abs=0.1)


def test_what_several_processes_take_is_exact() -> None:
    shared = Shared.create(4)
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(shared.descriptor), str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[shared.descriptor],
        )
        for worker in range(4)
    ]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == b"ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write(b"go\n")
        taker.stdin.flush()
    assert sum(int(taker.communicate()[0]) for taker in takers) == 1000


def let_through(buckets: Buckets, limit: bytes, sources: int) -> int:
    """Have every source take its one token of an hour; return how many get another one."""
    keys = [b"%b\0router\0%d" % (limit, number) for number in range(sources)]
    for key in keys:
        buckets.take(key, 1 / 3600, 1.0, 0.0)
    return again(buckets, keys)


def again(buckets: Buckets, keys: list[bytes]) -> int:
    return sum(buckets.take(key, 1 / 3600, 1.0, 0.0)[0] == 0.0 for key in keys)


def test_as_many_sources_as_traefik_has_are_exact() -> None:
    assert let_through(Shared.create(1).buckets, b"limit", 65_536) == 0


def test_sources_beyond_the_bound_are_let_through_in_the_proportion_that_is_told() -> None:
    # Three times 65,536 in a table of an eighth of the size: fewer than one in a thousand.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "BUCKET_SETS", memory.BUCKET_SETS // 8)
        buckets = Shared.create(1).buckets
    limits = [let_through(buckets, b"limit %d" % number, 65_536 // 8) for number in range(3)]
    assert sum(limits) < 3 * 65_536 // 8 / 1000


def test_a_flooded_limit_does_not_refill_another() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "BUCKET_SETS", 256)
        buckets = Shared.create(1).buckets
    logins = [b"login\0app\0%d" % number for number in range(400)]
    for key in logins:
        buckets.take(key, 1 / 3600, 1.0, 0.0)
    for number in range(40_000):  # Ten times what the table holds.
        buckets.take(b"search\0app\0%d" % number, 1 / 7200, 1.0, 0.0)
    assert again(buckets, logins) == 0


def test_buckets_that_are_full_again_make_room_first() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "BUCKET_SETS", 1)
        buckets = Shared.create(1).buckets
    keys = [b"limit\0app\0%d" % number for number in range(15)]
    for key in keys:
        buckets.take(key, 1 / 3600, 1.0, 0.0)
    for number in range(100):
        buckets.take(b"limit\0app\0quick %d" % number, 1e9, 1.0, 0.0)
    assert again(buckets, keys) == 0


def test_a_token_is_given_back() -> None:
    buckets = Shared.create(1).buckets
    assert buckets.take(b"a", 0.01, 2.0, 0.0)[1] == 1.0
    buckets.give_back(b"a", 0.01, 2.0)
    buckets.give_back(b"a", 0.01, 2.0)
    assert [buckets.take(b"a", 0.01, 2.0, 0.0)[0] > 0 for _ in range(3)] == [False, False, True]
    buckets.give_back(b"b", 0.01, 2.0)
    assert buckets.take(b"b", 0.01, 2.0, 0.0) == (0.0, 1.0)
