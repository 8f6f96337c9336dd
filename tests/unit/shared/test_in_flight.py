"""Requests under way: limits over workers, and what a dead worker had counted."""

import os

from edgerouter.shared.memory import Shared


def test_workers_share_a_limit() -> None:
    first = Shared.create(3)
    second = Shared(first.descriptor, 3, worker=2)
    assert first.in_flight.enter(b"a", 2)
    assert second.in_flight.enter(b"a", 2)
    assert not first.in_flight.enter(b"a", 2)
    assert not second.in_flight.enter(b"a", 2)
    assert first.in_flight.enter(b"b", 2)
    second.in_flight.leave(b"a")
    assert first.in_flight.count(b"a") == 1
    assert first.in_flight.enter(b"a", 2)


def test_counts_of_a_dead_worker_are_given_back() -> None:
    control = Shared.create(2)
    alive = Shared(control.descriptor, 2, worker=0)
    dead = Shared(control.descriptor, 2, worker=1)
    for shared in (alive, dead, dead):
        assert shared.in_flight.enter(b"a", 3)
    assert dead.in_flight.enter(b"b", 1)
    control.in_flight.forget(1)
    assert control.in_flight.count(b"a") == 1
    assert control.in_flight.count(b"b") == 0
    assert alive.in_flight.enter(b"b", 1)


def test_a_limit_of_zero_lets_nobody_in() -> None:
    assert not Shared.create(1).in_flight.enter(b"a", 0)


def test_more_leave_than_came_in() -> None:
    flights = Shared.create(1).in_flight
    flights.leave(b"a")
    assert flights.count(b"a") == 0
    assert flights.enter(b"a", 1)


def test_busy_sources_are_never_forgotten() -> None:
    flights = Shared.create(1).in_flight
    for number in range(20_000):
        key = b"%d" % number
        assert flights.enter(key, 1)
        if number >= 500:
            flights.leave(key)
    assert [flights.count(b"%d" % number) for number in range(500)] == [1] * 500


def test_as_many_busy_sources_as_are_told_are_exact() -> None:
    flights = Shared.create(2).in_flight
    keys = [b"few\0router\0%d" % number for number in range(65_536)]
    assert all(flights.enter(key, 1) for key in keys)
    # By chance one in fifty times a single one has no place.
    assert sum(flights.enter(key, 1) for key in keys) <= 2


def test_clearing_after_a_worker_takes_no_memory() -> None:
    shared = Shared.create(2)
    shared.in_flight.enter(b"a", 1)
    before = os.fstat(shared.descriptor).st_blocks
    shared.in_flight.forget(0)
    assert os.fstat(shared.descriptor).st_blocks == before
    assert shared.in_flight.count(b"a") == 0
