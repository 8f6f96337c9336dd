"""Requests under way: limits over workers, and what a dead worker had counted."""

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
