"""The modes of ``rateLimit`` beside ``limit_req`` of a real nginx: as many pass, as late."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.needed import needed
from tests.support.raw_http import exchange
from tests.support.router_process import free_ports

MODES: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("", {"burst": 1, "noDelay": True}),
    "nodelay": ("burst=5 nodelay", {"burst": 6, "noDelay": True}),
    "delay": ("burst=5 delay=2", {"burst": 6, "delay": 2}),
    "queue": ("burst=5", {"burst": 6, "delay": 0}),
}
"""By host: what nginx is told and what edgerouter is told."""
MINUTE = {"average": 1, "period": "1m", "noDelay": True, "shared": True}
BY_CLIENT = {"rateLimit": {**MINUTE, "burst": 6}}
BY_HOST = {"rateLimit": {**MINUTE, "burst": 2, "sourceCriterion": {"requestHost": True}}}
IN_TIME = 0.12
"""Seconds by which two routers may differ on a busy machine; modes differ by 0.2 at least."""


@contextmanager
def nginx(directory: Path, upstream: int) -> Iterator[int]:
    """Run nginx on a port of its own."""
    program = needed("nginx")
    (port,) = free_ports(1)
    zones = "".join(f"limit_req_zone $host zone={name}:1m rate=5r/s;\n" for name in MODES)
    servers = {name: f"limit_req zone={name} {limit};" for name, (limit, _) in MODES.items()}
    servers["client"] = "limit_req zone=client burst=5 nodelay;"
    servers["both"] = servers["client"] + " limit_req zone=host burst=1 nodelay;"
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{port}; server_name {name}.test;"
        f" location / {{ {limit} proxy_pass http://127.0.0.1:{upstream}; }} }}\n"
        for name, limit in servers.items()
    )
    paths = "".join(
        f"{name}_temp_path {directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/errors;\n"
        f"events {{}}\nhttp {{ access_log off; limit_req_status 429;\n{paths}{zones}"
        "limit_req_zone $binary_remote_addr zone=client:1m rate=1r/m;\n"
        f"limit_req_zone $host zone=host:1m rate=1r/m;\n{blocks}}}\n"
    )
    command = [program, "-e", f"{directory}/errors", "-c", f"{directory}/nginx.conf"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port), bool)
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    try:
        return status(port, "nobody") != 0
    except OSError:
        return False


def status(port: int, host: str) -> int:
    return exchange(port, f"GET / HTTP/1.1\r\nHost: {host}.test\r\n\r\n".encode())[0].status


def at_once(port: int, host: str, count: int) -> list[tuple[int, float]]:
    """Send requests at the same time; return what each got and when, those first that passed."""

    def one(_: int) -> tuple[int, float]:
        began = time.monotonic()
        return status(port, host), time.monotonic() - began

    with ThreadPoolExecutor(count) as threads:
        return sorted(threads.map(one, range(count)))


def configuration(upstream: int) -> dict[str, Any]:
    middlewares = {
        name: {"rateLimit": {"average": 5, **options}} for name, (_, options) in MODES.items()
    }
    chains = {name: [name] for name in MODES}
    chains |= {"client": ["by-client"], "both": ["by-client", "by-host"]}
    server = {"url": f"http://127.0.0.1:{upstream}"}
    return {
        "http": {"services": {"s": {"loadBalancer": {"servers": [server]}}}},
        "edgerouter": {
            "http": {
                "routers": {
                    name: {"rule": f"Host(`{name}.test`)", "middlewares": chain, "service": "s"}
                    for name, chain in chains.items()
                },
                "middlewares": {**middlewares, "by-client": BY_CLIENT, "by-host": BY_HOST},
            }
        },
    }


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Run nginx and edgerouter."""
    directory = tmp_path_factory.mktemp("limits")
    with (
        EchoServer(["s"]) as echo,
        nginx(directory, echo.ports["s"]) as port,
        edgerouter(
            directory / "edgerouter",
            ["web"],
            {"edgerouter.workers": "2"},
            configuration(echo.ports["s"]),
        ) as router,
    ):
        yield port, router.ports["web"]


@pytest.mark.parametrize("mode", MODES)
def test_a_mode(ports: tuple[int, int], mode: str) -> None:
    theirs, ours = (at_once(port, mode, 9) for port in ports)
    assert [each[0] for each in ours] == [each[0] for each in theirs]
    assert [each[1] for each in ours] == pytest.approx([each[1] for each in theirs], abs=IN_TIME)


def test_several_limits(ports: tuple[int, int]) -> None:
    # What the limit by host refuses does not count for the one by client.
    theirs, ours = (
        [status(port, host) for host in ("both", "client") for _ in range(6)] for port in ports
    )
    assert ours == theirs == [200] * 2 + [429] * 4 + [200] * 4 + [429] * 2
