"""The index never changes the answer: a table is a linear scan, only faster."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.message import Request, Response
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.route import Route
from edgerouter.routing.rule import And, Call, Node, Not, Or, format_rule
from edgerouter.routing.table import RouteTable
from tests.unit.routing.requests import make_request


async def handler(request: Request) -> Response:
    raise NotImplementedError


def route(
    rule: str, name: str = "", *, priority: int = 0, precedence: int = 0, syntax: str = "v3"
) -> Route:
    return Route(
        name or rule,
        compile_rule(rule, syntax),
        handler=handler,
        priority=priority or len(rule),
        precedence=precedence,
    )


def found(table: RouteTable, request: Request) -> str | None:
    match = table.match(request)
    return match.name if match else None


def scan(table: RouteTable, request: Request) -> Route | None:
    return next((r for r in table.routes if r.rule.matches(request)), None)


def test_longest_rule_wins_by_default_priority() -> None:
    table = RouteTable(
        [
            route("Host(`example.com`)"),
            route("Host(`example.com`) && PathPrefix(`/api`)"),
            route("PathPrefix(`/`)"),
            route("Host(`*.example.com`)"),
        ]
    )
    assert found(table, make_request(path="/api/x")) == (
        "Host(`example.com`) && PathPrefix(`/api`)"
    )
    assert found(table, make_request(path="/ap")) == "Host(`example.com`)"
    assert found(table, make_request("a.example.com")) == "Host(`*.example.com`)"
    assert found(table, make_request("a.b.example.com")) == "PathPrefix(`/`)"


def test_a_general_rule_of_higher_priority_beats_a_host() -> None:
    table = RouteTable(
        [route("Host(`example.com`)", "host"), route("PathPrefix(`/`)", "all", priority=1000)]
    )
    assert found(table, make_request()) == "all"


def test_a_wildcard_of_higher_priority_beats_a_host() -> None:
    table = RouteTable(
        [route("Host(`a.example.com`)", "a"), route("Host(`*.example.com`)", "w", priority=1000)]
    )
    assert found(table, make_request("a.example.com")) == "w"


def test_equal_priorities_go_by_precedence_then_name() -> None:
    table = RouteTable(
        [
            route("Host(`a`)", "c", priority=5),
            route("Host(`a`)", "b", priority=5),
            route("Host(`a`)", "z", priority=5, precedence=1),
        ]
    )
    assert [r.name for r in table.routes] == ["z", "b", "c"]
    assert found(table, make_request("a")) == "z"


def test_no_route() -> None:
    assert RouteTable([]).match(make_request()) is None
    assert RouteTable([route("Host(`a`) && Host(`b`)")]).match(make_request("a")) is None


def test_a_negated_host_is_asked_for_every_host() -> None:
    table = RouteTable([route("!Host(`a`)")])
    assert found(table, make_request("b")) == "!Host(`a`)"
    assert found(table, make_request("a")) is None


def test_nested_prefixes_are_all_asked() -> None:
    table = RouteTable(
        [
            route("PathPrefix(`/a`)", priority=9),
            route("PathPrefix(`/a/b`) && Method(`POST`)", priority=10),
            route("PathPrefix(`/a/b/c`) && Method(`PUT`)", priority=11),
        ]
    )
    path = "/a/b/c/d"
    assert found(table, make_request(path=path)) == "PathPrefix(`/a`)"
    assert found(table, make_request(path=path, method="POST")) == (
        "PathPrefix(`/a/b`) && Method(`POST`)"
    )
    assert found(table, make_request(path="/b")) is None


def test_escapes_in_the_path_are_decoded_unless_reserved() -> None:
    table = RouteTable([route("Path(`/a b`)"), route("PathPrefix(`/é`)"), route("Path(`/a/b`)")])
    assert found(table, make_request(path="/a%20b")) == "Path(`/a b`)"
    assert found(table, make_request(path="/%C3%A9t%C3%A9")) == "PathPrefix(`/é`)"
    assert found(table, make_request(path="/\udcc3\udca9")) == "PathPrefix(`/é`)"
    assert found(table, make_request(path="/a%2Fb")) is None


NAMES = st.sampled_from(
    ["a", "b", "a.x", "b.x", "c.a.x", "x", "*.x", "*.a.x", "*", "a.x.", ".x", ".", "[::1]"]
)
PATHS = st.sampled_from(["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/b/a", "/a b"])
CALLS = st.one_of(
    st.builds(lambda v: Call("Host", (v,)), NAMES),
    st.builds(lambda n, v: Call(n, (v,)), st.sampled_from(["Path", "PathPrefix"]), PATHS),
    st.builds(lambda v: Call("Method", (v,)), st.sampled_from(["GET", "POST"])),
    st.builds(lambda v: Call("HostRegexp", (v,)), st.sampled_from([r"^a", r"\.x$"])),
    st.builds(lambda v: Call("Query", (v,)), st.sampled_from(["q", "p"])),
)


def _branches(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    terms = st.lists(nodes, min_size=2, max_size=4).map(tuple)
    return st.one_of(st.builds(Not, nodes), st.builds(And, terms), st.builds(Or, terms))


RULES = st.recursive(CALLS, _branches, max_leaves=8)
REQUESTS = st.builds(
    make_request,
    st.sampled_from(["", "a", "b", "a.x", "b.x", "c.a.x", "x", "z", ".x", "a.x.", "::1", "[::1]"]),
    st.sampled_from(["/", "/a", "/a/", "/a/b", "/a/b/c/d", "/abc", "/b/a", "/a%20b", "/z", "*"]),
    method=st.sampled_from(["GET", "POST"]),
    query=st.sampled_from([None, "", "q", "p&q=1"]),
)


@given(
    st.lists(st.tuples(RULES, st.integers(1, 4), st.integers(0, 1)), max_size=12),
    st.lists(REQUESTS, min_size=1, max_size=12),
)
def test_the_table_answers_as_a_linear_scan(
    rules: list[tuple[Node, int, int]], requests: list[Request]
) -> None:
    number = count()
    table = RouteTable(
        route(format_rule(node), f"r{next(number)}", priority=priority, precedence=precedence)
        for node, priority, precedence in rules
    )
    for request in requests:
        assert table.match(request) is scan(table, request)


@given(
    st.lists(st.tuples(RULES, st.integers(1, 4), st.booleans()), min_size=6, max_size=16),
    st.lists(st.tuples(RULES, st.integers(1, 4)), max_size=2),
    st.lists(REQUESTS, min_size=1, max_size=12),
)
def test_a_table_that_was_changed_answers_as_one_made_anew(
    rules: list[tuple[Node, int, bool]], more: list[tuple[Node, int]], requests: list[Request]
) -> None:
    routes = [
        route(format_rule(node), f"r{n}", priority=rank) for n, (node, rank, _) in enumerate(rules)
    ]
    added = [
        route(format_rule(node), f"r{n}", priority=rank) for n, (node, rank) in enumerate(more)
    ]
    removed = [r for r, (_, _, goes) in zip(routes, rules, strict=True) if goes][:2]
    removed += [r for r in routes[: len(added)] if r not in removed]  # They have the same names.
    first = RouteTable(routes)
    table = first.updated(removed, added)
    anew = RouteTable([*(r for r in routes if r not in removed), *added])
    assert list(table.routes) == list(anew.routes)
    for request in requests:
        assert table.match(request) is anew.match(request)
        assert first.match(request) is scan(first, request)


def test_a_table_takes_many_changes_at_the_same_place() -> None:
    routes = [route(f"Host(`h{n}`)", f"a{n:03}", priority=9) for n in range(500)]
    table = RouteTable(routes)
    for n in range(200):
        # Each before the last one: the room between two ranks comes to an end.
        table = table.updated([], [route("Host(`x`)", f"a1{200 - n:04}", priority=9)])
    assert found(table, make_request("x")) == "a10001"
    assert [r.name for r in table.routes] == sorted(r.name for r in table.routes)
    assert found(table, make_request("h499")) == "a499"


V2_CALLS = st.one_of(
    st.builds(
        Call, st.sampled_from(["Host", "HostHeader"]), st.lists(NAMES, min_size=1).map(tuple)
    ),
    st.builds(
        Call,
        st.sampled_from(["Path", "PathPrefix"]),
        st.lists(st.one_of(PATHS, st.sampled_from(["/{x}", "/a/{id:b+}"])), min_size=1).map(tuple),
    ),
    st.builds(Call, st.just("HostRegexp"), st.just(("{n:[a-c]}.x",))),
)


@given(
    st.lists(st.recursive(V2_CALLS, _branches, max_leaves=6), max_size=8),
    st.lists(REQUESTS, min_size=1, max_size=8),
)
def test_v2_rules_too(rules: list[Node], requests: list[Request]) -> None:
    table = RouteTable(
        route(format_rule(node), f"r{number}", syntax="v2") for number, node in enumerate(rules)
    )
    for request in requests:
        assert table.match(request) is scan(table, request)


@pytest.mark.parametrize("size", [200])
def test_a_rule_with_many_alternatives_keeps_its_answer(size: int) -> None:
    hosts = " || ".join(f"Host(`h{n}`)" for n in range(size))
    paths = " || ".join(f"PathPrefix(`/p{n}`)" for n in range(size))
    table = RouteTable([route(f"({hosts}) && ({paths})", "r")])
    assert found(table, make_request("h7", "/p9")) == "r"
    assert found(table, make_request("h7", "/x")) is None
    assert found(table, make_request("x", "/p9")) is None
