import pytest

from edgerouter.control.listing import Item, QueryError, page_of


def router(name: str, **changes: object) -> Item:
    base = {"name": name, "provider": name.partition("@")[2], "status": "enabled"}
    return {**base, "rule": "Host(`x`)", "service": "s", "priorityStr": "9", **changes}


ROUTERS = [
    router("b@file", rule="Host(`B.test`)", priority=5, middlewares=["m@file"]),
    router("a@docker", status="disabled", service="api", priority=20, entryPoints=["x", "y"]),
    router("c@docker", status="warning", service="api@docker", priority=1, entryPoints=["x"]),
]
SERVICES = [
    {"name": "s@file", "status": "enabled", "loadBalancer": {"servers": [{}, {}]}},
    {"name": "api@internal", "status": "enabled"},
]


def names(items: list[Item], **query: str) -> list[str]:
    return [item["name"] for item in page_of(items, query).items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["a@docker", "b@file", "c@docker"]),
        ({"direction": "desc"}, ["c@docker", "b@file", "a@docker"]),
        ({"sortBy": "priority"}, ["c@docker", "b@file", "a@docker"]),
        ({"sortBy": "priority", "direction": "desc"}, ["a@docker", "b@file", "c@docker"]),
        ({"sortBy": "provider"}, ["a@docker", "c@docker", "b@file"]),
        ({"sortBy": "provider", "direction": "desc"}, ["b@file", "c@docker", "a@docker"]),
        ({"sortBy": "entryPoints"}, ["b@file", "c@docker", "a@docker"]),
        ({"sortBy": "status"}, ["a@docker", "b@file", "c@docker"]),
        ({"sortBy": "nonsense"}, ["a@docker", "b@file", "c@docker"]),
        ({"status": "Disabled"}, ["a@docker"]),
        ({"status": "nonsense"}, []),
        ({"search": "b.TEST"}, ["b@file"]),
        ({"search": "docker"}, ["a@docker", "c@docker"]),
        ({"search": "docker", "status": "warning"}, ["c@docker"]),
        ({"serviceName": "api@docker"}, ["a@docker", "c@docker"]),
        ({"serviceName": "api@file"}, ["a@docker"]),
        ({"middlewareName": "m@file"}, ["b@file"]),
        ({"middlewareName": "m"}, []),
    ],
)
def test_search_and_order(query: dict[str, str], expected: list[str]) -> None:
    assert names(ROUTERS, **query) == expected


def test_criteria_of_routers_do_not_touch_services() -> None:
    assert names(SERVICES, serviceName="x", middlewareName="y") == ["api@internal", "s@file"]


def test_services_by_their_servers() -> None:
    assert names(SERVICES, sortBy="servers", direction="desc") == ["s@file", "api@internal"]


@pytest.mark.parametrize(
    ("query", "expected", "next_page"),
    [
        ({"per_page": "2"}, 2, 2),
        ({"per_page": "2", "page": "2"}, 1, 1),
        ({"per_page": "3"}, 3, 1),
        ({}, 3, 1),
    ],
)
def test_pages(query: dict[str, str], expected: int, next_page: int) -> None:
    page = page_of(ROUTERS, query)
    assert (len(page.items), page.next_page) == (expected, next_page)


def test_the_first_page_of_nothing_is_empty() -> None:
    assert page_of([], {}).items == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"page": "9"}, "invalid request: page: 9, per_page: 100"),
        ({"page": "x"}, "invalid request: page: 0"),
        ({"page": "-1"}, "invalid request: page: -1"),
        ({"per_page": "0"}, "invalid request: per_page: 0"),
        ({"per_page": "2", "page": "3"}, "invalid request: page: 3, per_page: 2"),
    ],
)
def test_pages_that_do_not_exist(query: dict[str, str], message: str) -> None:
    with pytest.raises(QueryError, match=f"^{message}$"):
        page_of(ROUTERS, query)
