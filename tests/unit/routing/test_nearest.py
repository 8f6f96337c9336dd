"""Near misses: who nearly took a request, and why not."""

from time import perf_counter

import pytest

from edgerouter.http.message import Request
from edgerouter.routing.table import RouteTable
from tests.unit.routing.requests import make_request
from tests.unit.routing.test_table import route

TABLE = RouteTable(
    [
        route("Host(`api.example.com`) && PathPrefix(`/api`)", "api@docker"),
        route("Host(`api.example.com`) && Path(`/v1`) && Method(`POST`)", "v1@docker"),
        route("Host(`shop.example.com`)", "shop@docker"),
        route("PathPrefix(`/only`)", "only@file"),
        route("Host(`q.com`) && Query(`key`, `value`)", "q@file"),
        route("Host(`*.w.com`) && !Path(`/x`)", "w@file"),
        route("(Host(`o`) && Path(`/1`)) || (Host(`p`) && Header(`X`, `y`))", "or@file"),
    ]
)


@pytest.mark.parametrize(
    ("request_", "router", "reason"),
    [
        (
            make_request("api.example.com", "/"),
            "api@docker",
            "Host(`api.example.com`) matches, but PathPrefix(`/api`) does not match the path `/`",
        ),
        (
            make_request("api.example.com", "/v1/", method="POST"),
            "v1@docker",
            (
                "Host(`api.example.com`), Method(`POST`) match, but Path(`/v1`) does not match the "
                "path `/v1/` (they differ only by the slash at the end)"
            ),
        ),
        (
            make_request("api.example.com", "/API/x"),
            "api@docker",
            (
                "Host(`api.example.com`) matches, but PathPrefix(`/api`) does not match the path "
                "`/API/x` (they differ only by upper and lower case)"
            ),
        ),
        (
            make_request("api.exmaple.com", "/"),
            "v1@docker",
            "no router has the host `api.exmaple.com`; did you mean `api.example.com`?",
        ),
        (
            make_request("www.shop.example.com"),
            "shop@docker",
            "no router has the host `www.shop.example.com`; did you mean `shop.example.com`?",
        ),
        (
            make_request("q.com", "/?key=other&access_token=SECRET"),
            "q@file",
            "Host(`q.com`) matches, but Query(`key`, `value`) does not match the query",
        ),
        (
            make_request("a.w.com", "/x"),
            "w@file",
            "Host(`*.w.com`) matches, but !Path(`/x`) excludes the path `/x`",
        ),
        (
            make_request("p", headers=((b"X", b"secret"),)),
            "or@file",
            "Host(`p`) matches, but Header(`X`, `y`) does not match the value of X",
        ),
        (
            make_request("p"),
            "or@file",
            "Host(`p`) matches, but Header(`X`, `y`) does not match (X was not sent)",
        ),
        (
            make_request("nowhere", "/ONLY"),
            "only@file",
            (
                "PathPrefix(`/only`) does not match the path `/ONLY` "
                "(they differ only by upper and lower case)"
            ),
        ),
    ],
)
def test_the_nearest_router_comes_first(request_: Request, router: str, reason: str) -> None:
    assert TABLE.match(request_) is None
    nearest = TABLE.nearest(request_)[0]
    assert (nearest.router, nearest.reason) == (router, reason)


def test_nothing_is_near() -> None:
    assert TABLE.nearest(make_request("nowhere", "/elsewhere")) == []
    assert RouteTable([]).nearest(make_request()) == []


def test_at_most_the_limit() -> None:
    table = RouteTable(route(f"Host(`a`) && Path(`/{n}`)", f"r{n}") for n in range(50))
    assert len(table.nearest(make_request("a", "/x"), 3)) == 3


def test_text_from_the_request_is_shortened_and_escaped() -> None:
    request = make_request("api.example.com", "/\udcff\n" + "x" * 1000)
    reason = TABLE.nearest(request)[0].reason
    assert reason.isascii() or reason.replace("…", "").isascii()
    assert "\n" not in reason
    assert len(reason) < 400


@pytest.mark.parametrize(
    "rule",
    [
        "Host(`s{n}.example.com`)",
        "Host(`example.com`) && PathPrefix(`/s{n}`)",
        "Host(`example.com`) && Path(`/s{n}`)",
        "Header(`X`, `{n}`)",
    ],
)
def test_ten_thousand_routers_are_not_all_asked(rule: str) -> None:
    table = RouteTable(route(rule.replace("{n}", str(n)), f"r{n}") for n in range(10_000))
    request = make_request("example.con", "/none")
    table.nearest(request)
    start = perf_counter()
    table.nearest(request)
    assert perf_counter() - start < 0.05


def test_a_rule_with_very_many_matchers_is_not_taken_apart() -> None:
    hosts = " || ".join(f"Host(`h{n}`)" for n in range(100))
    table = RouteTable([route(f"({hosts}) && Path(`/a`)", "big")])
    assert "more than 32 matchers" in table.nearest(make_request("h1", "/b"))[0].reason
