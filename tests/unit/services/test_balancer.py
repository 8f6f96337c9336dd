from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edgerouter.services.balancer import WeightedRoundRobin


@dataclass(frozen=True)
class Item:
    name: str
    weight: int = 1


def items(*weights: int) -> list[Item]:
    return [Item(f"s{number}", weight) for number, weight in enumerate(weights)]


def names(rotation: WeightedRoundRobin[Item], count: int) -> list[str]:
    return [item.name for _ in range(count) if (item := rotation.next()) is not None]


def test_equal_weights_rotate() -> None:
    assert names(WeightedRoundRobin(items(2, 2, 2)), 6) == ["s0", "s1", "s2"] * 2


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_shares_are_the_weights(weights: list[int]) -> None:
    """After some rounds nobody is more than one turn away from their share."""
    rotation, rounds = WeightedRoundRobin(items(*weights)), 5
    counts = Counter(names(rotation, rounds * sum(weights)))
    for number, weight in enumerate(weights):
        assert abs(counts[f"s{number}"] - rounds * weight) <= 1


def test_heavy_items_are_not_asked_in_a_row() -> None:
    order = "".join(names(WeightedRoundRobin(items(2, 1)), 30))
    assert "s0s0s0" not in order
    assert "s1s1" not in order


def test_weight_zero_and_less_is_never_chosen() -> None:
    assert set(names(WeightedRoundRobin(items(0, 3, -1, 1)), 20)) == {"s1", "s3"}
    assert WeightedRoundRobin(items(0)).next() is None
    assert WeightedRoundRobin(items()).next() is None


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_the_excluded_are_skipped(weights: list[int], numbers: set[int]) -> None:
    all_items = items(*weights)
    excluded = [item for number, item in enumerate(all_items) if number in numbers]
    rotation = WeightedRoundRobin(all_items)
    for _ in range(20):
        item = rotation.next(excluded)
        assert item not in excluded
        assert (item is None) == (len(excluded) == len(all_items))


def test_who_was_excluded_comes_back() -> None:
    for weights in ((1, 1), (3, 1)):
        all_items = items(*weights)
        rotation = WeightedRoundRobin(all_items)
        for _ in range(10):
            assert rotation.next([all_items[0]]) == all_items[1]
        assert "s0" in names(rotation, 4)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 300))
def test_who_comes_back_does_not_catch_up(weights: list[int], absence: int) -> None:
    all_items = items(*weights)
    rotation, rounds = WeightedRoundRobin(all_items), 5
    for _ in range(absence):
        assert rotation.next(all_items[:1]) is not all_items[0]
    counts = Counter(names(rotation, rounds * sum(weights)))
    for number, weight in enumerate(weights):
        assert abs(counts[f"s{number}"] - rounds * weight) <= 2


def test_nobody_loses_turns_while_all_are_away() -> None:
    all_items = items(3, 1)
    rotation = WeightedRoundRobin(all_items)
    for _ in range(50):
        assert rotation.next(all_items) is None
    assert Counter(names(rotation, 40)) == {"s0": 30, "s1": 10}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_shares_are_the_weights_wherever_the_round_begins(weights: list[int]) -> None:
    rotation, rounds = WeightedRoundRobin(items(*weights)), 5
    rotation.scatter()
    counts = Counter(names(rotation, rounds * sum(weights)))
    for number, weight in enumerate(weights):
        assert abs(counts[f"s{number}"] - rounds * weight) <= 2


def test_changes_in_quick_succession_favour_nobody() -> None:
    """A rotation that is made anew after every fourth request: the light one has its share."""
    counts: Counter[str] = Counter()
    for _ in range(2000):
        rotation = WeightedRoundRobin(items(9, 1))
        rotation.scatter()
        counts.update(names(rotation, 4))
    assert 500 < counts["s1"] < 1100
    WeightedRoundRobin[Item]([]).scatter()
