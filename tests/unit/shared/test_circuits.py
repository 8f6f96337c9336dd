"""Circuit breakers: one state and one count for all workers."""

import pytest

from edgerouter.shared.circuits import Circuits, Measures, Times
from edgerouter.shared.memory import Shared

TIMES = Times(check_period=0.1, fallback=10.0, recovery=10.0)
KEY = b"m@file\0r@file"


@pytest.fixture
def circuits() -> Circuits:
    return Shared.create(1).circuits


def failing(measures: Measures) -> bool:
    return measures.network_error_ratio() > 0.5


def never(_: Measures) -> bool:
    return False


def record(circuits: Circuits, status: int, now: float, seconds: float = 0.01) -> bool:
    return circuits.record(KEY, status, seconds, TIMES, now, failing)


def look(circuits: Circuits, now: float) -> Measures:
    """Return the measures as a condition sees them."""
    seen: list[Measures] = []
    times = Times(-1.0, 10.0, 10.0)
    circuits.record(KEY, 999, 0.0, times, now, lambda measures: bool(seen.append(measures)))
    return seen[0]


def test_it_opens_recovers_and_closes(circuits: Circuits) -> None:
    assert circuits.admits(KEY, TIMES, 100.0)
    assert not record(circuits, 200, 100.0)
    assert not record(circuits, 502, 100.2)
    assert record(circuits, 504, 100.4)
    assert not circuits.admits(KEY, TIMES, 110.3)
    passed = [circuits.admits(KEY, TIMES, 110.5 + step / 100) for step in range(1000)]
    assert not passed[0]
    assert 0 < sum(passed[:500]) < sum(passed[500:])
    assert sum(passed[500:]) <= 500
    assert circuits.admits(KEY, TIMES, 120.6)
    assert all(circuits.admits(KEY, TIMES, 120.7) for _ in range(10))


def test_a_failure_while_recovering_opens_it_again(circuits: Circuits) -> None:
    assert record(circuits, 502, 100.0)
    circuits.admits(KEY, TIMES, 110.1)
    assert record(circuits, 502, 112.0)
    assert not circuits.admits(KEY, TIMES, 121.9)


def test_what_was_counted_before_it_opened_is_forgotten(circuits: Circuits) -> None:
    times = Times(0.1, fallback=1.0, recovery=1.0)
    assert circuits.record(KEY, 502, 0.0, times, 100.0, failing)
    circuits.admits(KEY, times, 101.5)
    assert look(circuits, 101.6).network_error_ratio() == 0.0


def test_the_condition_is_asked_once_a_period(circuits: Circuits) -> None:
    assert not record(circuits, 200, 100.0)
    assert not record(circuits, 502, 100.05)
    assert not record(circuits, 502, 100.06)
    assert record(circuits, 502, 100.2)


def test_two_keys_know_nothing_of_each_other(circuits: Circuits) -> None:
    assert record(circuits, 502, 100.0)
    assert circuits.admits(b"other", TIMES, 100.1)


def test_two_workers_count_together() -> None:
    shared = Shared.create(2)
    other = Shared(shared.descriptor, 2, worker=1)
    assert record(shared.circuits, 502, 100.0)
    assert not other.circuits.admits(KEY, TIMES, 100.1)


def test_ratios(circuits: Circuits) -> None:
    for status in (200, 200, 404, 500, 599):
        circuits.record(KEY, status, 0.0, TIMES, 50.0, never)
    measures = look(circuits, 51.0)
    assert measures.response_code_ratio(500, 600, 0, 600) == 2 / 5
    assert measures.response_code_ratio(400, 500, 200, 300) == 1 / 2
    assert measures.response_code_ratio(500, 600, 300, 400) == 0.0
    assert measures.network_error_ratio() == 0.0


def test_statuses_are_forgotten_after_ten_seconds(circuits: Circuits) -> None:
    circuits.record(KEY, 502, 0.0, TIMES, 50.0, never)
    assert look(circuits, 59.9).network_error_ratio() == 1.0
    assert look(circuits, 60.0).network_error_ratio() == 0.0


def test_latencies(circuits: Circuits) -> None:
    for milliseconds in range(1, 101):
        circuits.record(KEY, 200, milliseconds / 1000, TIMES, 50.0, never)
    measures = look(circuits, 70.0)
    assert measures.latency_at_quantile(50.0) == pytest.approx(50, abs=2)
    assert measures.latency_at_quantile(99.0) == pytest.approx(99, abs=3)
    assert look(circuits, 111.0).latency_at_quantile(50.0) == 0
