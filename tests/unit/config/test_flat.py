"""Flat keys into trees."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.config.flat import MAX_DEPTH, nest


def test_keys_become_groups_and_lists() -> None:
    nested = nest({"a.b": "1", "a.c[1].d": "3", "a.c[0].d": "2", "x[7]": "y"})
    assert nested.problems == []
    assert nested.tree == {"a": {"b": "1", "c": [{"d": "2"}, {"d": "3"}]}, "x": ["y"]}


def test_lists_are_ordered_by_number() -> None:
    keys = {f"x[{index}]": str(index) for index in range(12)}
    assert nest(keys).tree == {"x": [str(index) for index in range(12)]}


def test_the_spelling_that_sorts_first_is_kept() -> None:
    assert nest({"a.Name.x": "1", "A.name.y": "2"}).tree == {"A": {"name": {"y": "2", "x": "1"}}}


def test_a_value_beside_children_is_kept_apart() -> None:
    assert nest({"tls": "true", "tls.options": "o"}).tree == {"tls": {"": "true", "options": "o"}}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("a..b", "a name between the dots is empty"),
        ("a.", "a name between the dots is empty"),
        ("a.[0]", "a name between the dots starts with a bracket"),
        ("a[x].b", '"a[x]" is not a name with an index such as a[0]'),
        ("a[0.b", '"a[0" is not a name with an index such as a[0]'),
        ("a[0]b", '"a[0]b" is not a name with an index such as a[0]'),
        ("a[]", '"a[]" is not a name with an index such as a[0]'),
        ("a[99999]", 'the index of "a[99999]" is larger than 9999'),
        (".".join("a" * (MAX_DEPTH + 1)), "the key has more than 32 levels"),
    ],
)
def test_broken_keys_are_reported_and_left_out(key: str, message: str) -> None:
    nested = nest({key: "v", "good.key": "w"})
    assert nested.tree == {"good": {"key": "w"}}
    assert [(problem.path, problem.message) for problem in nested.problems] == [(key, message)]


def test_numbered_and_named_elements_do_not_mix() -> None:
    nested = nest({"a.b": "1", "a[0].c": "2"})
    assert nested.tree == {"a": {"b": "1"}}
    assert nested.problems[0].path == "a[0].c"


names = st.text("abAB", min_size=1, max_size=2)
trees = st.recursive(
    st.text(max_size=3),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def flatten(tree: Any, path: str = "") -> dict[str, str]:
    if isinstance(tree, dict):
        parts = [(f"{path}.{key}" if path else key, item) for key, item in tree.items()]
    elif isinstance(tree, list):
        parts = [(f"{path}[{index}]", item) for index, item in enumerate(tree)]
    else:
        return {path: tree}
    return {key: value for place, item in parts for key, value in flatten(item, place).items()}


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), trees, max_size=4))
def test_trees_survive_a_round_trip(tree: dict[str, Any]) -> None:
    flat = flatten(tree)
    if any("][" in key for key in flat):  # Lists of lists cannot be written.
        return
    assert nest(flat).tree == tree


@given(st.dictionaries(st.text("aA.[]0", max_size=8), st.text(max_size=2)), st.randoms())
def test_order_does_not_count_and_nothing_raises(flat: dict[str, str], random: Any) -> None:
    items = list(flat.items())
    random.shuffle(items)
    assert nest(dict(items)) == nest(flat)
