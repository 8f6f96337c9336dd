"""The order of middlewares is the user's, as in Traefik: all orders of four."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle.case import get
from tests.oracle.conftest import Subject
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.traefik import traefik

MIDDLEWARES: dict[str, Any] = {
    "add": {"addPrefix": {"prefix": "/a"}},
    "strip": {"stripPrefix": {"prefixes": ["/a", "/x"]}},
    "swap": {"replacePathRegex": {"regex": "^/([^/]*)/(.*)", "replacement": "/$2/$1"}},
    "mark": {"headers": {"customRequestHeaders": {"X-Forwarded-Prefix": "", "X-Mark": "1"}}},
    "front": {"addPrefix": {"prefix": "/front"}},
    "two": {"chain": {"middlewares": ["add", "swap"]}},
    "nested": {"chain": {"middlewares": ["strip", "two", "mark"]}},
}
ORDERS = [
    *itertools.permutations(("add", "strip", "swap", "mark")),
    ("nested",),
    ("two", "nested"),
    ("nested", "two"),
    ("add", "add", "swap"),
    ("swap", "add", "swap"),
]
POINTS = ["web", "fronted"]


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    with EchoServer({"s": 1}) as running:
        yield running


def configuration(port: int) -> dict[str, Any]:
    routers = {
        f"r{number}": {
            "rule": f"Host(`r{number}.test`)",
            "middlewares": list(order),
            "service": "s",
            "entryPoints": POINTS,
        }
        for number, order in enumerate(ORDERS)
    }
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}
    return {"http": {"routers": routers, "middlewares": MIDDLEWARES, "services": {"s": service}}}


@pytest.fixture(scope="module")
def pair(
    server: EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Subject, Subject]]:
    """Traefik and edgerouter."""
    content = configuration(next(iter(server.ports.values())))
    flags = {"entrypoints.fronted.http.middlewares": "front@file,mark@file"}
    directory = tmp_path_factory.mktemp("order")
    with (
        traefik(directory / "traefik", POINTS, flags, content) as theirs,
        edgerouter(directory / "edgerouter", POINTS, flags, content) as ours,
    ):
        yield Subject(theirs, server), Subject(ours, server)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", range(len(ORDERS)), ids=[",".join(order) for order in ORDERS])
def test_the_order_is_kept(number: int, point: str, pair: tuple[Subject, Subject]) -> None:
    theirs, ours = pair
    case = get("order", "/x/y/z", f"r{number}.test", ep=point)
    answer = ours.ask(case)
    assert answer == theirs.ask(case)
    assert answer[0]["status"] == 200
