"""Which certificates are ordered for what routers want."""

from edgerouter.acme.plan import Wish, is_covered, make_plan, widened


def orders(*wishes: Wish) -> list[tuple[str, ...]]:
    return [wish.names for wish in make_plan(wishes).orders]


def test_equal_sets_are_one_order() -> None:
    plan = make_plan([Wish("le", ("a", "b"), ("x@docker",)), Wish("le", ("b", "a"), ("y@docker",))])
    assert plan.orders == (Wish("le", ("a", "b"), ("x@docker", "y@docker")),)
    assert plan.covered == ()


def test_resolvers_are_apart() -> None:
    assert orders(Wish("le", ("a",)), Wish("zero", ("b",))) == [("a",), ("b",)]


def test_a_wildcard_covers_one_label() -> None:
    wishes = [Wish("le", (name,)) for name in ("a.x.org", "b.a.x.org", "x.org", "*.x.org")]
    plan = make_plan(wishes)
    assert [wish.names for wish in plan.orders] == [("*.x.org",), ("b.a.x.org",), ("x.org",)]
    assert [wish.names for wish in plan.covered] == [("a.x.org",)]


def test_large_sets_cover_small_ones_whatever_the_order() -> None:
    wishes = [Wish("le", ("a",)), Wish("le", ("a", "b")), Wish("le", ("b",))]
    assert orders(*wishes) == orders(*reversed(wishes)) == [("a", "b")]


def test_overlapping_sets_are_both_ordered() -> None:
    assert orders(Wish("le", ("a", "b")), Wish("le", ("b", "c"))) == [("a", "b"), ("b", "c")]


def test_wildcards_in_the_place_of_names() -> None:
    names = ("x.org", "a.x.org", "b.x.org", "c.b.x.org", "a.y.org", "192.0.2.1")
    assert widened(names, ["x.org"]) == ("x.org", "*.x.org", "c.b.x.org", "a.y.org", "192.0.2.1")
    assert widened(names[:2], [" "]) == names[:2]
    assert widened(("local",), ["", "."]) == ("local",)
    assert widened(("*.x.org", "a.x.org"), ["X.org."]) == ("*.x.org",)
    assert widened(("a.x.org",), ["*.x.org"]) == ("*.x.org",)


def test_cover() -> None:
    assert is_covered(["*.x.org"], ["*.x.org"])
    assert not is_covered(["*.x.org"], ["*.org", "a.x.org"])
    assert not is_covered(["*.a.x.org"], ["*.x.org"])
