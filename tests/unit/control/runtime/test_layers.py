"""Routers below routers: who is in service, what workers get, and what the API shows."""

from typing import Any

import pytest

from edgerouter.config.types import MAX_INT
from edgerouter.control.elements import router_item
from edgerouter.control.runtime import RuntimeConfiguration
from edgerouter.control.runtime.layers import DEEPEST
from edgerouter.control.runtime.snapshot import snapshot_of
from tests.unit.control.runtime.test_runtime import runtime, static

PARENT = {"rule": "Host(`p`)"}


def child(*parents: str, **options: Any) -> dict[str, Any]:
    return {"rule": "PathPrefix(`/`)", "service": "s", "parentRefs": list(parents), **options}


def between(*parents: str) -> dict[str, Any]:
    return child(*parents, service="")


def view(**routers: Any) -> RuntimeConfiguration:
    return runtime({"routers": routers})


def states(found: RuntimeConfiguration) -> dict[str, str]:
    return {name.partition("@")[0]: info.status for name, info in found.http.routers.items()}


def errors(found: RuntimeConfiguration, name: str) -> list[str]:
    return found.http.routers[f"{name}@file"].errors


def test_parent_and_child_in_a_snapshot() -> None:
    found = view(p=PARENT, c=child("p"), m=between("p@file"), leaf=child("m"))
    assert set(states(found).values()) == {"enabled"}
    assert found.diagnostics == ()
    routers = snapshot_of(found, 1)["routers"]
    assert routers["p@file"]["children"] == ["c@file", "m@file"]
    assert routers["p@file"]["service"] == ""
    assert routers["c@file"]["parents"] == ["p@file"]
    assert routers["c@file"]["entryPoints"] == []
    assert (routers["m@file"]["parents"], routers["m@file"]["children"]) == (
        ["p@file"],
        ["leaf@file"],
    )


def test_ordinary_routers_say_nothing_of_layers() -> None:
    routers = snapshot_of(view(r={"rule": "Host(`a`)", "service": "s"}), 1)["routers"]
    assert not {"parents", "children"} & routers["r@file"].keys()


def test_a_child_is_below_every_copy_of_its_parent() -> None:
    points = {"web": {"address": ":80"}, "two": {"address": ":81", "http": {"middlewares": ["m"]}}}
    middlewares = {"m": {"addPrefix": {"prefix": "/x"}}}
    parts = {"routers": {"p": PARENT, "c": child("p")}, "middlewares": middlewares}
    found = runtime(parts, static({"entryPoints": points}))
    assert found.http.routers["c@file"].parents == ["p@file", "two-p@file"]
    assert found.http.routers["c@file"].middlewares == []
    assert set(states(found).values()) == {"enabled"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tls": {}}, "tls is for routers without parentRefs only"),
        ({"entryPoints": ["web"]}, "entryPoints is for routers without parentRefs only"),
        ({"observability": {}}, "observability is for routers without parentRefs only"),
        ({"service": ""}, "the router has no service"),
        ({"service": "nobody"}, 'the service "nobody@file" does not exist'),
        ({"middlewares": ["nobody"]}, 'the middleware "nobody@file" does not exist'),
        ({"rule": ""}, "the router has no rule"),
        ({"parentRefs": ["c"]}, "no router without parentRefs is above it"),
    ],
)
def test_reasons_to_disable_a_child(options: dict[str, Any], reason: str) -> None:
    found = view(p=PARENT, c=child("p") | options, good=child("p"))
    assert states(found) == {"p": "enabled", "c": "disabled", "good": "enabled"}
    assert errors(found, "c")[0].startswith(reason)
    assert [finding.element for finding in found.diagnostics] == ["http.routers.c"]
    assert snapshot_of(found, 1)["routers"]["p@file"]["children"] == ["good@file"]


def test_parents_that_do_not_exist() -> None:
    found = view(parent=PARENT, one=child("paren"), other=child("parent", "nobody"))
    assert states(found) == {"parent": "enabled", "one": "disabled", "other": "warning"}
    reason = 'the parent router "paren@file" does not exist; did you mean "parent@file"?'
    assert errors(found, "one")[0] == reason
    assert errors(found, "other") == ['the parent router "nobody@file" does not exist']


def test_a_parent_without_a_child_in_service() -> None:
    found = view(p=PARENT, m=between("p"), c=child("m", service="nobody"))
    assert set(states(found).values()) == {"disabled"}
    assert errors(found, "p") == ["none of the routers below it is in service: m@file"]


def test_a_parent_with_a_service() -> None:
    found = view(p={**PARENT, "service": "s"}, c=child("p"))
    assert states(found) == {"p": "warning", "c": "enabled"}
    assert errors(found, "p") == ["its service is not used, for routers are below it: c@file"]


def test_circles() -> None:
    found = view(a=between("b"), b=between("a"), self=child("self"))
    assert set(states(found).values()) == {"disabled"}
    found = view(p=PARENT, a=between("p", "b"), b=between("a"), leaf=child("b"), good=child("a"))
    assert errors(found, "b") == ["the parentRefs go in a circle: a@file -> b@file -> a@file"]
    assert {name for name, state in states(found).items() if state == "disabled"} == {"b"}


@pytest.mark.parametrize(("layers", "state"), [(DEEPEST, "enabled"), (DEEPEST + 1, "disabled")])
@pytest.mark.parametrize("first", [0, 2000])
def test_depth(layers: int, state: str, first: int) -> None:
    chain = {f"r{first + n:04}": between(f"r{first + n - 1:04}") for n in range(1, layers)}
    chain[f"r{first + layers - 1:04}"]["service"] = "s"
    found = view(**{f"r{first:04}": PARENT}, **chain)
    assert set(states(found).values()) == {state}


def test_a_thousand_layers_with_short_cuts_are_refused_without_harm() -> None:
    # Each is below the root, too, and is reached from there after those below it.
    routers = {f"r{n:04}": between("p", f"r{n + 1:04}") for n in range(1000)}
    routers["r0000"]["service"] = "s"
    found = view(p=PARENT, **routers, r1000=between("p"))
    assert states(found)["p"] == "enabled"
    served = snapshot_of(found, 1)["routers"]

    def depth(name: str) -> int:
        return 1 + max((depth(below) for below in served[name].get("children", ())), default=0)

    assert depth("p@file") <= DEEPEST + 1


def test_the_largest_priority_is_for_roots() -> None:
    assert set(states(view(p=PARENT, c=child("p", priority=MAX_INT))).values()) == {"enabled"}


def test_the_api_shows_layers_as_traefik_does() -> None:
    found = view(p=PARENT, c=child("p"))
    shown = router_item(found.http.routers["c@file"], static(), ())
    assert shown["parentRefs"] == ["p@file"]
    assert shown["priority"] == len("PathPrefix(`/`)")
    assert not {"entryPoints", "using", "observability"} & shown.keys()
    assert "parentRefs" not in router_item(found.http.routers["p@file"], static(), ())
