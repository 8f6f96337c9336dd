"""``realIp``: rules, middlewares, servers and the access log see the client."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.held_upstream import HeldUpstream, held_upstream
from tests.support.raw_http import Answer, exchange
from tests.support.router_process import RouterProcess

FIRST, SECOND = "203.0.113.9", "203.0.113.10"
FORWARDED = {
    "none": (),
    "the client": ("X-Forwarded-For: {client}",),
    "a chain": ("X-Forwarded-For: 192.0.2.1, {client}", "X-Forwarded-For: 10.0.0.1"),
}
"""What a proxy in front may send beside its own header."""
CHAIN = {
    "none": FIRST,
    "the client": f"{FIRST}, 127.0.0.1",
    "a chain": f"192.0.2.1, {FIRST}, 10.0.0.1, 127.0.0.1",
}
"""The ``X-Forwarded-For`` that servers get then."""


def dynamic(port: int) -> dict[str, Any]:
    rule = "Host(`a.test`) && ClientIP(`203.0.113.0/24`)"
    return {
        "http": {
            "routers": {"r": {"rule": rule, "service": "s", "middlewares": ["id", "some"]}},
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
            "middlewares": {
                "id": {"requestId": {}},
                "some": {"ipAllowList": {"sourceRange": ["203.0.113.9"]}},
            },
        }
    }


def ask(port: int, client: str) -> Answer:
    fields = f"CF-Connecting-IP: {client}\r\nX-Forwarded-For: {client}"
    return exchange(port, f"GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n".encode())[0]


def received(answer: Answer) -> dict[str, str]:
    """Return the header that a server got."""
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


@pytest.mark.parametrize("trusting", [False, True])
def test_the_client_behind_a_proxy(tmp_path: Path, trusting: bool) -> None:
    flags = {
        "entrypoints.web.forwardedheaders.insecure": str(trusting).lower(),
        "edgerouter.workers": "1",
        "edgerouter.realIp.trusted": "private",
        "edgerouter.realIp.header": "CF-Connecting-IP",
        "accesslog.format": "json",
        "accesslog.filepath": "{directory}/access.log",
    }
    with (
        EchoServer(["s"]) as echo,
        edgerouter(tmp_path, ["web"], flags, dynamic(echo.ports["s"])) as process,
    ):
        port = process.ports["web"]
        answer = ask(port, "203.0.113.9")
        assert answer.status == 200
        told = received(answer)
        assert told["x-real-ip"] == FIRST
        assert told["x-forwarded-for"] == (f"{FIRST}, 127.0.0.1" if trusting else FIRST)
        assert answer.get("x-request-id") == told["x-request-id"]
        assert ask(port, "203.0.113.10").status == 403
        assert ask(port, "198.51.100.1").status == 404
        process.stop()
        lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    logged = [line for line in lines if line["RequestHost"] == "a.test"]
    assert [line["ClientHost"] for line in logged] == [
        "203.0.113.9",
        "203.0.113.10",
        "198.51.100.1",
    ]
    assert logged[0]["RequestID"] == told["x-request-id"]


def behind_a_proxy(ports: dict[str, int], held: int, *, middleware: bool) -> dict[str, Any]:
    """Return one router for each limit; ``realIp`` is a middleware of theirs or static."""
    once = {"average": 1, "period": "1h"}
    limits: dict[str, Any] = {
        "rate": {"rateLimit": once},
        "request": {"rateLimit": {**once, "shared": True, "noDelay": True}},
        "flight": {"inFlightReq": {"amount": 1, "sourceCriterion": {"ipStrategy": {"depth": 0}}}},
        "list": {"ipAllowList": {"sourceRange": [FIRST]}},
        "auth": {"forwardAuth": {"address": f"http://127.0.0.1:{ports['auth']}/"}},
        "auth-new": {
            "forwardAuth": {
                "address": f"http://127.0.0.1:{ports['auth']}/",
                "trustForwardHeader": False,
            }
        },
        "auth-kept": {
            "forwardAuth": {
                "address": f"http://127.0.0.1:{ports['auth']}/",
                "trustForwardHeader": True,
            }
        },
    }
    # A router and its limit for each way to forward, so that none finds what another has taken.
    names = [f"{name}{way}" for name in limits for way in range(len(FORWARDED))]
    real_ip = {"trusted": ["127.0.0.0/8"], "header": "CF-Connecting-IP"}
    middlewares = {name: limits[name[:-1]] for name in names}
    routers = {
        name: {
            "rule": f"Host(`{name}.test`)",
            "middlewares": ["cdn", name] if middleware else [name],
            "service": "held" if name.startswith("flight") else "s",
        }
        for name in names
    }
    routers["rule"] = {"rule": f"Host(`rule.test`) && ClientIP(`{FIRST}`)", "service": "s"}
    return {
        "http": {
            "services": {
                name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}
                for name, port in (("s", ports["s"]), ("held", held))
            }
        },
        "edgerouter": {
            "http": {"routers": routers, "middlewares": {**middlewares, "cdn": {"realIp": real_ip}}}
        },
    }


class Cdn:
    """A router behind a proxy that is believed, and how that one asks."""

    def __init__(self, router: RouterProcess, upstream: HeldUpstream, forwarded: str) -> None:
        self._router = router
        self._way = list(FORWARDED).index(forwarded)
        self.upstream = upstream
        self.forwarded = forwarded

    def head(self, name: str, client: str, *more: str) -> bytes:
        forwarded = [line.format(client=client) for line in FORWARDED[self.forwarded]]
        lines = [f"Host: {name}", f"CF-Connecting-IP: {client}", *forwarded, *more]
        return "\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode()

    def ask(self, limit: str, client: str, *more: str) -> Answer:
        host = "rule.test" if limit == "rule" else f"{limit}{self._way}.test"
        return exchange(self._router.ports["web"], self.head(host, client, *more))[0]

    def statuses(self, limit: str, *clients: str) -> list[int]:
        return [self.ask(limit, client).status for client in clients]

    def hold(self, limit: str, client: str) -> http.client.HTTPConnection:
        """Send a request and wait until the server has it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._router.ports["web"], timeout=15)
        connection.connect()
        connection.sock.sendall(self.head(f"{limit}{self._way}.test", client))
        self.upstream.accept()
        return connection


@pytest.fixture(scope="module", params=["middleware", "static"])
def router(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RouterProcess, HeldUpstream, bool]]:
    is_middleware = request.param == "middleware"
    flags = {
        "edgerouter.workers": "2",
        "entrypoints.web.forwardedheaders.insecure": "true",
    }
    if not is_middleware:
        flags["edgerouter.realIp.trusted"] = "127.0.0.0/8"
        flags["edgerouter.realIp.header"] = "CF-Connecting-IP"
    directory = tmp_path_factory.mktemp("cdn")
    with EchoServer(["s", "auth"]) as echo, held_upstream() as held:
        content = behind_a_proxy(echo.ports, held.port, middleware=is_middleware)
        with edgerouter(directory, ["web"], flags, content) as running:
            yield running, held, is_middleware


@pytest.fixture(params=list(FORWARDED))
def cdn(request: pytest.FixtureRequest, router: tuple[RouterProcess, HeldUpstream, bool]) -> Cdn:
    return Cdn(router[0], router[1], request.param)


@pytest.mark.parametrize("limit", ["rate", "request"])
def test_a_rate_is_the_clients(cdn: Cdn, limit: str) -> None:
    assert cdn.statuses(limit, FIRST, SECOND, FIRST, SECOND) == [200, 200, 429, 429]


def test_requests_under_way_are_the_clients(cdn: Cdn) -> None:
    with closing(cdn.hold("flight", FIRST)), closing(cdn.hold("flight", SECOND)):
        assert cdn.statuses("flight", FIRST, SECOND) == [429, 429]


def test_a_list_is_of_clients(cdn: Cdn) -> None:
    assert cdn.statuses("list", FIRST, SECOND) == [200, 403]


def test_a_rule_sees_the_client_that_static_options_find(
    cdn: Cdn, router: tuple[RouterProcess, HeldUpstream, bool]
) -> None:
    is_middleware = router[2]
    found = [404, 404] if is_middleware else [200, 404]  # Rules come before middlewares.
    assert cdn.statuses("rule", FIRST, SECOND) == found


@pytest.mark.parametrize("kind", ["auth", "auth-new", "auth-kept"])
def test_an_authentication_server_is_told_of_the_client(cdn: Cdn, kind: str) -> None:
    answer = cdn.ask(kind, FIRST, 'X-Echo: {"status": 403}')
    assert answer.status == 403
    chain = CHAIN[cdn.forwarded] if kind == "auth-kept" else FIRST
    assert received(answer)["x-forwarded-for"] == chain


def test_servers_get_the_whole_chain(cdn: Cdn) -> None:
    told = received(cdn.ask("list", FIRST))
    assert told["x-real-ip"] == FIRST
    assert told["x-forwarded-for"] == CHAIN[cdn.forwarded]
