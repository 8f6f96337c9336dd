"""Limits over all workers of a real router: exact, and not lost or kept by a killed worker."""

import asyncio
import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.held_upstream import HeldUpstream, held_upstream
from tests.support.raw_http import exchange
from tests.support.redis_server import redis_server, require_redis
from tests.support.router_process import RouterProcess, free_ports

pytestmark = pytest.mark.timeout(60)


def configuration(port: int, **middlewares: Any) -> dict[str, Any]:
    """One router and one middleware for each host ``<name>.test``."""
    return {
        "http": {
            "routers": {
                name: {"rule": f"Host(`{name}.test`)", "middlewares": [name], "service": "all"}
                for name in middlewares
            },
            "middlewares": middlewares,
            "services": {
                "all": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}
            },
        }
    }


def ask(port: int, host: str) -> http.client.HTTPConnection:
    """Send a request on a new connection; whoever reads the answer closes it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("GET", "/", headers={"Host": host})
    return connection


def status(port: int, host: str) -> int:
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return exchange(port, request.encode())[0].status


async def flood(port: int, host: str, connections: int, requests: int) -> Counter[int]:
    """Send ``requests`` on each of many connections at once; count the statuses."""
    text = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * requests

    async def one() -> list[int]:
        answers = await asyncio.to_thread(exchange, port, text, count=requests)
        return [answer.status for answer in answers]

    found = await asyncio.gather(*(one() for _ in range(connections)))
    return Counter(status for statuses in found for status in statuses)


def workers(router: RouterProcess) -> list[int]:
    """Return the processes of the workers."""
    path = Path(f"/proc/{router.pid}/task/{router.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.parametrize("count", [1, 4])
async def test_a_rate_is_the_same_with_any_number_of_workers(tmp_path: Path, count: int) -> None:
    # Nobody listens at the service: what passes the limit is answered 502.
    (closed,) = free_ports(1)
    limit = {"rateLimit": {"average": 1, "period": "1h", "burst": 100}}
    flags = {"edgerouter.workers": str(count)}
    with edgerouter(tmp_path, ["web"], flags, configuration(closed, limited=limit)) as router:
        counted = await flood(router.ports["web"], "limited.test", connections=12, requests=25)
    assert counted == {502: 100, 429: 200}


async def test_a_rate_survives_changes_and_killed_workers(tmp_path: Path) -> None:
    (closed,) = free_ports(1)
    limit = {"rateLimit": {"average": 1, "period": "1h", "burst": 3}}
    first = configuration(closed, limited=limit)
    with edgerouter(tmp_path, ["web"], {"edgerouter.workers": "2"}, first) as router:
        port = router.ports["web"]
        assert [status(port, "limited.test") for _ in range(2)] == [502, 502]
        router.apply(configuration(closed, limited=limit, other=limit))
        old = workers(router)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: set(workers(router)), lambda new: len(new) == 2 and not new & set(old))
        assert [status(port, "limited.test") for _ in range(3)] == [502, 429, 429]


def test_requests_under_way_count_over_workers_and_die_with_them(tmp_path: Path) -> None:
    limit = {"inFlightReq": {"amount": 4}}
    with held_upstream() as server, ExitStack() as opened:
        content = configuration(server.port, limited=limit)
        router = opened.enter_context(
            edgerouter(tmp_path, ["web"], {"edgerouter.workers": "2"}, content)
        )
        port = router.ports["web"]
        for _ in range(4):
            opened.callback(ask(port, "limited.test").close)
            server.accept()
        assert [status(port, "limited.test") for _ in range(6)] == [429] * 6
        for pid in workers(router):
            os.kill(pid, signal.SIGKILL)
        answered(server, lambda: ask(port, "limited.test"))


def answered(server: HeldUpstream, send: Callable[[], http.client.HTTPConnection]) -> None:
    """See that a request passes."""
    with closing(send()) as connection:
        server.accept()
        server.answer()
        with connection.getresponse() as response:
            assert response.status == 200


async def test_routers_with_one_redis_share_a_limit(tmp_path: Path) -> None:
    require_redis()
    (closed,) = free_ports(1)
    with redis_server(tmp_path) as redis, ExitStack() as opened:
        limit = {
            "rateLimit": {
                "average": 1,
                "period": "1h",
                "burst": 60,
                "redis": {"endpoints": [redis.endpoint]},
            }
        }
        routers = [
            opened.enter_context(
                edgerouter(
                    tmp_path / name,
                    ["web"],
                    {"edgerouter.workers": "2"},
                    configuration(closed, limited=limit),
                )
            )
            for name in ("one", "two")
        ]
        floods = [flood(router.ports["web"], "limited.test", 6, 10) for router in routers]
        counted = sum(await asyncio.gather(*floods), Counter[int]())
        assert counted == {502: 60, 429: 60}
        redis.stop()
        # Now each router counts for itself.
        for router in routers:
            alone = await flood(router.ports["web"], "limited.test", 6, 15)
            assert alone == {502: 60, 429: 30}


def test_a_redis_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    require_redis()
    (closed,) = free_ports(1)
    with redis_server(tmp_path) as redis, ExitStack() as opened:
        limit = {"average": 1, "period": "1h", "redis": {"endpoints": [redis.endpoint]}}
        content = configuration(closed, limited={"rateLimit": limit})
        router = opened.enter_context(
            edgerouter(tmp_path / "router", ["web"], {"edgerouter.workers": "2"}, content)
        )
        port = router.ports["web"]
        assert [status(port, "limited.test") for _ in range(8)] == [502] + [429] * 7
        redis.hang()
        took = []
        end = time.monotonic() + 4.5  # Redis is asked again every second.
        while time.monotonic() < end:
            began = time.monotonic()
            assert status(port, "limited.test") in (502, 429)
            took.append(time.monotonic() - began)
        assert len([seconds for seconds in took if seconds > 0.3]) <= 2, "once in each worker"
        assert max(took) < 2.5
        redis.go_on()
