"""Token buckets: waits, debts, and exactness over processes."""

import subprocess
import sys
import time

import pytest

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
