"""Routers below routers in a worker: who is asked, with what, and what a change touches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.body import FixedBody
from edgerouter.http.message import Request, Response
from edgerouter.ipc.patch import difference
from edgerouter.worker.layers import ordered
from tests.unit.worker.test_builder import Plane, matched, request, service, snapshot

PING = {"ping@internal": {"type": "internal", "options": {"name": "ping"}}}
SERVICES = {**PING, "noop@internal": {"type": "internal", "options": {"name": "noop"}}}


@pytest.fixture
async def plane() -> Plane:
    return Plane()


def parent(*children: str, **more: Any) -> dict[str, Any]:
    rule = {"entryPoints": ["web"], "rule": "Host(`p`)", "priority": 10}
    return {**rule, "service": "", "children": list(children), **more}


def child(path: str, *parents: str, **more: Any) -> dict[str, Any]:
    rule = {"entryPoints": [], "rule": f"PathPrefix(`{path}`)", "priority": 10}
    return {**rule, "service": "ping@internal", "parents": list(parents), **more}


async def ask(plane: Plane, path: str) -> tuple[Response, Request]:
    made = request("p", path)
    made.target, made.version, made.upgrade, made.expects_continue = path, (1, 1), "", False
    made.body, made.inform = FixedBody(b""), None
    return await plane.entrypoint.dispatch(made), made


async def test_the_first_that_matches_below_answers(plane: Plane) -> None:
    routers = {
        "p": parent("a", "m"),
        "a": child("/a", "p"),
        "m": child("/m", "p", children=["leaf"]),
        "leaf": child("/m/leaf", "m"),
    }
    assert plane.apply(routers=routers, services=SERVICES) == {}
    for path, status, below in [
        ("/a", 200, " -> a"),
        ("/m/leaf", 200, " -> m -> leaf"),
        ("/m/x", 404, " -> m"),
        ("/x", 404, ""),
    ]:
        response, asked = await ask(plane, path)
        assert (response.status, asked.exchange.router, asked.exchange.below) == (
            status,
            "p",
            below,
        )
    assert plane.entrypoint.table.match(request("other", "/a")) is None


async def test_the_request_is_matched_as_the_parent_left_it(plane: Plane) -> None:
    strip = {"type": "stripPrefix", "options": {"prefixes": ["/strip"]}}
    plane.apply(
        routers={"p": parent("a", middlewares=["m"]), "a": child("/a", "p")},
        services=SERVICES,
        middlewares={"m": strip},
    )
    assert (await ask(plane, "/strip/a"))[0].status == 200
    assert (await ask(plane, "/strip/b"))[0].status == 404


async def test_a_patch_of_a_child_is_enough(plane: Plane) -> None:
    services = {**SERVICES, "s": service()}
    routers = {"p": parent("a", "b"), "a": child("/a", "p"), "b": child("/b", "p")}
    versions = [
        routers,
        {**routers, "a": child("/new", "p")},
        {**routers, "a": child("/new", "p", service="noop@internal")},
        {"p": parent("b"), "b": child("/b", "p")},
    ]
    expected = [
        {"/a": 200, "/new": 404, "/b": 200},
        {"/a": 404, "/new": 200, "/b": 200},
        {"/a": 404, "/new": 418, "/b": 200},
        {"/a": 404, "/new": 404, "/b": 200},
    ]
    last: dict[str, Any] | None = None
    routes = []
    for number, (version, answers) in enumerate(zip(versions, expected, strict=True)):
        new = snapshot(number, version, services)
        patch = difference(last, new) if last is not None else None
        assert (patch is None) == (last is None)
        assert plane.builder.apply(new, patch) == {}
        assert {path: (await ask(plane, path))[0].status for path in answers} == answers
        routes.append(matched(plane, "p"))
        last = new
    # The parent stays where it is in its table; its handler alone is another.
    assert len(set(routes)) == 1


async def test_a_child_that_cannot_be_built_is_left_out(plane: Plane) -> None:
    routers = {"p": parent("a", "b"), "a": child("/", "p", service="gone"), "b": child("/b", "p")}
    assert plane.apply(routers=routers, services=SERVICES).keys() == {"routers/a"}
    assert (await ask(plane, "/b"))[0].status == 200
    assert (await ask(plane, "/a"))[0].status == 404


def test_those_below_come_first() -> None:
    definitions = {
        "p": {"children": ["m", "q"]},
        "m": {"parents": ["p"], "children": ["leaf"]},
        "q": {"parents": ["p"]},
        "leaf": {"parents": ["m"]},
        "other": {},
    }
    assert ordered(["leaf"], definitions) == ["leaf", "m", "p"]
    assert ordered(["gone", "p", "leaf", "other"], definitions) == [
        "gone",
        "leaf",
        "m",
        "p",
        "other",
    ]


PATHS = ["/a", "/b", "/a/b"]
LEAVES = st.dictionaries(
    st.sampled_from(["x", "y", "z"]),
    st.tuples(
        st.sampled_from(PATHS),
        st.sampled_from(["ping@internal", "noop@internal", "gone"]),
        st.lists(st.sampled_from(["p", "q", "m"]), min_size=1, unique=True),
    ),
)


def tree(leaves: dict[str, tuple[str, str, list[str]]]) -> dict[str, Any]:
    """Return routers: ``p`` and ``q`` at the top, ``m`` below both, and ``leaves``."""
    below = {
        name: [leaf for leaf, (_, _, parents) in leaves.items() if name in parents]
        for name in ("p", "q", "m")
    }
    routers = {
        leaf: child(path, *parents, service=service)
        for leaf, (path, service, parents) in leaves.items()
    }
    if below["m"]:
        routers["m"] = child("/a", "p", "q", children=below["m"])
        below["p"].append("m")
        below["q"].append("m")
    for name in ("p", "q"):
        if below[name]:
            routers[name] = parent(*below[name], rule=f"Host(`{name}`)")
    return routers


@given(st.lists(LEAVES, min_size=2, max_size=5))
async def test_patches_lead_where_the_whole_snapshot_leads(
    steps: list[dict[str, tuple[str, str, list[str]]]],
) -> None:
    step, whole = Plane(), Plane()
    last: dict[str, Any] | None = None
    for version, leaves in enumerate(steps):
        new = snapshot(version, tree(leaves), SERVICES)
        patch = difference(last, new) if last is not None else None
        assert step.builder.apply(new, patch) == whole.apply(**new)
        for host in ("p", "q"):
            for path in PATHS:
                assert await seen(step, host, path) == await seen(whole, host, path)
        last = new


async def seen(plane: Plane, host: str, path: str) -> tuple[int, str]:
    made = request(host, path)
    made.target = path
    response = await plane.entrypoint.dispatch(made)
    return response.status, made.exchange.router + made.exchange.below
