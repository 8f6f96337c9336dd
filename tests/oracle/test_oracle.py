"""edgerouter against the real Traefik: the same configuration, the same bytes, the same answers."""

from collections import Counter
from typing import Any

import pytest

from tests.oracle import (
    cases_border,
    cases_http,
    cases_layers,
    cases_middlewares_a,
    cases_middlewares_b,
    cases_middlewares_c,
    cases_routing,
)
from tests.oracle.case import Case, get
from tests.oracle.conftest import Subject
from tests.oracle.differences import DIFFERENCES, ROUTER_DIFFERENCES
from tests.support.router_process import RouterProcess

CASES = [
    *cases_routing.CASES,
    *cases_http.CASES,
    *cases_border.CASES,
    *cases_layers.CASES,
    *cases_middlewares_a.CASES,
    *cases_middlewares_b.CASES,
    *cases_middlewares_c.CASES,
]
NAMES = [case.name for case in CASES]


def test_the_table_is_sound() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert set(DIFFERENCES) <= set(NAMES)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_answer(case: Case, theirs: Subject, ours: Subject) -> None:
    expected, actual = theirs.ask(case), ours.ask(case)
    difference = DIFFERENCES.get(case.name)
    if difference is None:
        assert actual == expected
        return
    assert actual != expected, "edgerouter answers as Traefik does: remove the difference"
    assert {name: actual[0].get(name) for name in difference.ours} == difference.ours


# Traefik makes a copy of every router for an entry point that refuses encoded characters,
# edgerouter asks the entry point itself.
_COPIED_BY_TRAEFIK = "deny"


def routers(process: RouterProcess, *, without: str = "none") -> dict[str, dict[str, Any]]:
    """Return what the API says of the routers of the file, without the words of errors.

    Args:
        process: The router.
        without: An entry point that is left out.
    """
    listed = process.get("/api/http/routers?per_page=5000")
    return {
        router["name"]: {
            "status": router["status"],
            "priority": router.get("priority"),
            "entryPoints": sorted(set(router.get("entryPoints") or ()) - {without}),
            "using": sorted(set(router.get("using") or ()) - {without}),
            "middlewares": router.get("middlewares"),
            "service": router.get("service"),
            "rule": router.get("rule"),
            "parentRefs": [
                name
                for name in router.get("parentRefs") or ()
                if not name.startswith(f"{without}-")
            ],
        }
        for router in listed
        if router["provider"] == "file"
        and not router["name"].startswith(("harness", f"{without}-"))
    }


def test_the_api_lists_the_same_routers(theirs: Subject, ours: Subject) -> None:
    expected, actual = (
        routers(subject.process, without=_COPIED_BY_TRAEFIK) for subject in (theirs, ours)
    )
    assert sorted(actual) == sorted(expected)


def test_the_api_describes_routers_alike(theirs: Subject, ours: Subject) -> None:
    expected, actual = (
        routers(subject.process, without=_COPIED_BY_TRAEFIK) for subject in (theirs, ours)
    )
    different = {
        name: (expected[name], actual.get(name))
        for name in expected
        if expected[name] != actual.get(name)
    }
    assert {name for name in different if name not in ROUTER_DIFFERENCES} == set(), different


def test_disabled_routers_say_why(ours: Subject) -> None:
    listed = ours.process.get("/api/http/routers?per_page=5000")
    disabled = [router for router in listed if router["status"] == "disabled"]
    assert disabled
    assert [router["name"] for router in disabled if not router.get("error")] == []


@pytest.mark.parametrize("subject", ["theirs", "ours"])
def test_weights(subject: str, request: pytest.FixtureRequest) -> None:
    router: Subject = request.getfixturevalue(subject)
    case = get("weights", "/", "weighted.test")
    servers = Counter(router.ask(case)[0]["upstream"]["server"] for _ in range(40))
    # Several workers keep a schedule each, so the shares are exact only per worker.
    assert set(servers) == {"weighted", "api"}
    assert 28 <= servers["weighted"] <= 32


@pytest.mark.parametrize("subject", ["theirs", "ours"])
def test_a_sticky_client_keeps_its_cookie(subject: str, request: pytest.FixtureRequest) -> None:
    router: Subject = request.getfixturevalue(subject)
    port = router.process.ports["web"]
    (first,) = get("first", "/", "sticky-named.test").run(port)
    cookie = first.get("set-cookie").split(";")[0]
    (second,) = get("second", "/", "sticky-named.test", f"Cookie: {cookie}").run(port)
    assert second.status == 200
    assert second.get("set-cookie") == ""


def test_a_new_configuration_is_taken(
    theirs: Subject, ours: Subject, configuration: dict[str, Any]
) -> None:
    http = configuration["http"]
    changed = {
        "http": {
            **http,
            "routers": {
                **{name: router for name, router in http["routers"].items() if name != "exact"},
                "fresh": {"rule": "Host(`fresh.test`)", "service": "api"},
            },
        }
    }
    try:
        for subject in (theirs, ours):
            subject.process.apply(changed)
        for host in ("fresh.test", "exact.test", "a.test"):
            case = get(host, "/", host)
            assert ours.ask(case) == theirs.ask(case)
    finally:
        for subject in (theirs, ours):
            subject.process.apply(configuration)
