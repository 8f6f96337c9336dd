"""Patches lead to the same snapshot, one by one or joined."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgerouter.ipc.patch import difference, joined, patched, touched

SECTION = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))
SNAPSHOTS = st.fixed_dictionaries(
    {
        "routers": SECTION,
        "services": SECTION,
        "disabled": st.lists(st.integers(0, 1), max_size=1),
        "tls": SECTION,
    }
)


def versions(*snapshots: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "snapshot", **each, "version": n} for n, each in enumerate(snapshots)]


@given(SNAPSHOTS, SNAPSHOTS, SNAPSHOTS)
def test_patches_lead_to_the_newest(
    a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
) -> None:
    first, second, third = versions(a, b, c)
    one, two = difference(first, second), difference(second, third)
    if one is None:
        assert a == b
        return
    assert patched(first, one) == second
    if two is None:
        assert b == c
        return
    both = joined(one, two)
    assert patched(first, both) == third
    assert (both["base"], both["version"]) == (0, 2)


def test_a_patch_says_no_more_than_what_changed() -> None:
    old, new = versions(
        {"routers": {"a": 1, "b": 1}, "services": {"s": 1}, "tls": {"x": 1}},
        {"routers": {"a": 2, "c": 1}, "services": {"s": 1}, "tls": {"x": 1}},
    )
    patch = difference(old, new)
    assert patch == {
        "type": "patch",
        "base": 0,
        "version": 1,
        "routers": {"set": {"a": 2, "c": 1}, "gone": ["b"]},
    }
    assert touched(patch, "routers") == ["a", "c", "b"]
    assert touched(patch, "services") == []
