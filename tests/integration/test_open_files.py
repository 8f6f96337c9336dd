"""The limit of open files: raised at the start, and told of when it is reached."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.integration.test_exchange_process import workers
from tests.support.echo_server import EchoServer
from tests.support.eventually import ask, eventually
from tests.support.router_process import RouterProcess

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
os.execv(sys.executable, [sys.executable, "-m", "edgerouter", *sys.argv[3:]])
"""
FLAGS = {
    "log.level": "INFO",
    "log.format": "json",
    "edgerouter.workers": "1",
    "edgerouter.internalca.storage": "{directory}/internal-ca",
}


@contextmanager
def limited(directory: Path, soft: int, hard: int) -> Iterator[RouterProcess]:
    """Run edgerouter with limits of open files before an echo server."""
    command = [sys.executable, "-c", LIMITED, str(soft), str(hard)]
    with EchoServer(["a"]) as echo:
        servers = [{"url": f"http://127.0.0.1:{echo.ports['a']}"}]
        http = {
            "routers": {"a": {"rule": "Host(`a`)", "service": "a"}},
            "services": {"a": {"loadBalancer": {"servers": servers}}},
        }
        with RouterProcess(command, directory, ["web"], FLAGS, {"http": http}) as router:
            yield router


def test_the_limit_is_raised_as_far_as_allowed(tmp_path: Path) -> None:
    with limited(tmp_path, 200, 1000) as router:
        (worker,) = workers(router)
        limits = Path(f"/proc/{worker}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3:5] == ["1000", "1000"]


def complaints(router: RouterProcess) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in router.log.read_text().splitlines()]
    return [record for record in records if record["message"].startswith("Open files run out")]


def test_files_that_run_out_are_told_of_once_and_clients_are_served_again(tmp_path: Path) -> None:
    with limited(tmp_path, 64, 64) as router, ExitStack() as clients:
        port = router.ports["web"]
        assert not complaints(router)
        for _ in range(100):
            clients.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        (record,) = eventually(lambda: complaints(router), len)
        assert (record["level"], record["limit"]) == ("warn", 64)
        assert "LimitNOFILE" in record["remedy"]
        assert ask(port, host="a").status == 0
        clients.close()
        eventually(lambda: ask(port, host="a").status, lambda status: status == 200)
        assert len(complaints(router)) == 1


def test_without_a_file_for_the_server_the_reason_is_told(tmp_path: Path) -> None:
    with limited(tmp_path, 64, 64) as router, ExitStack() as clients:
        port = router.ports["web"]
        first = clients.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        for _ in range(100):
            clients.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        eventually(lambda: complaints(router), len)
        first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.recv(12) == b"HTTP/1.1 502"
        assert "Too many open files; allow more" in router.log.read_text()
