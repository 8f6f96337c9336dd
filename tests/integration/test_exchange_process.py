"""The running product under load and at its end: memory, drain, a killed worker."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.router_process import RouterProcess

MEGABYTE = 1024 * 1024
SIZE = 1024 * MEGABYTE
GROWTH = 20 * MEGABYTE
HEAD = b"Host: bulk\r\n\r\n"


class BulkServer:
    """``GET`` gives ``SIZE`` bytes, ``POST`` counts what comes; made and dropped on the way."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                part = connection.recv(65536)
                if not part:
                    return
                data += part
            if data.startswith(b"POST"):
                count = len(data.partition(b"\r\n\r\n")[2])
                while count < SIZE and (size := len(connection.recv(MEGABYTE))):
                    count += size
                text = b"%d" % count
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text))
                connection.sendall(text)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                for _ in range(SIZE // MEGABYTE):
                    connection.sendall(bytes(MEGABYTE))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def running(directory: Path, flags: dict[str, str] | None = None) -> Iterator[RouterProcess]:
    """The product in front of an echo server (``Host: echo``) and a bulk server (``bulk``)."""
    bulk = BulkServer()
    with EchoServer(["echo"]) as echo:
        ports = {"echo": echo.ports["echo"], "bulk": bulk.port}
        dynamic = {
            "http": {
                "routers": {
                    name: {"rule": f"Host(`{name}`)", "service": name, "entryPoints": ["web"]}
                    for name in ports
                },
                "services": {
                    name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}
                    for name, port in ports.items()
                },
            }
        }
        with edgerouter(directory, ["web"], flags or {}, dynamic) as router:
            yield router
    bulk.close()


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(tmp_path_factory.mktemp("exchange")) as process:
        yield process


def workers(router: RouterProcess) -> list[int]:
    """Return the process ids of the router's workers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == router.pid and b"edgerouter.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def memory(router: RouterProcess) -> dict[int, int]:
    """Return the resident bytes of each worker, its highest so far (``VmHWM``)."""
    sizes = {}
    for pid in workers(router):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                sizes[pid] = int(line.split()[1]) * 1024
    return sizes


def connect(router: RouterProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", router.ports["web"]), timeout=20)


def receive_body(client: socket.socket) -> int:
    """Read an answer with ``Content-Length`` and return the size of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, data = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    count = len(data)
    while count < length and (part := client.recv(MEGABYTE)):
        count += len(part)
    return count


def assert_flat(router: RouterProcess, before: dict[int, int]) -> None:
    after = memory(router)
    assert after.keys() == before.keys()
    assert all(after[pid] - before[pid] < GROWTH for pid in before), (before, after)


def test_large_download_leaves_memory_flat(router: RouterProcess) -> None:
    before = memory(router)
    assert before
    with connect(router) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + HEAD)
        assert receive_body(client) == SIZE
    assert_flat(router, before)


def test_large_upload_leaves_memory_flat(router: RouterProcess) -> None:
    before = memory(router)
    with connect(router) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % SIZE + HEAD)
        for _ in range(SIZE // MEGABYTE):
            client.sendall(bytes(MEGABYTE))
        answer = client.recv(65536)
        while not answer.endswith(b"%d" % SIZE):
            part = client.recv(65536)
            assert part, answer
            answer += part
    assert_flat(router, before)


def test_clients_that_do_not_read_leave_memory_flat(router: RouterProcess) -> None:
    before = memory(router)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(router)) for _ in range(8)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\n" + HEAD)
        time.sleep(0.5)  # Time for what must not happen.
        assert_flat(router, before)
        assert receive_body(clients[0]) == SIZE


def test_killed_worker_takes_its_own_connections_only(tmp_path: Path) -> None:
    with running(tmp_path, {"edgerouter.workers": "2"}) as router:
        old = eventually(lambda: workers(router), lambda pids: len(pids) == 2)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(router)) for _ in range(24)]
            request = b"GET / HTTP/1.1\r\nHost: echo\r\n\r\n"
            for client in clients:
                client.sendall(request)
                assert receive_body(client)
            os.kill(old[0], signal.SIGKILL)
            alive = 0
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(request)
                    alive += bool(client.recv(65536))
            assert 0 < alive < len(clients)
        eventually(
            lambda: workers(router), lambda pids: len(pids) == 2 and old[0] not in pids, within=20
        )
        assert all(ask(router.ports["web"], host="echo").status == 200 for _ in range(10))


def test_killed_worker_under_load_leaves_the_service_up(tmp_path: Path) -> None:
    """New connections fail for as long as the dead worker's queue of them, and no longer."""
    stop = threading.Event()
    statuses: list[int] = []

    with running(tmp_path, {"edgerouter.workers": "2"}) as router:
        old = eventually(lambda: workers(router), lambda pids: len(pids) == 2)

        def load() -> None:
            while not stop.is_set():
                statuses.append(ask(router.ports["web"], host="echo").status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(statuses), lambda count: count > 50)
            os.kill(old[0], signal.SIGKILL)
            eventually(lambda: workers(router), lambda pids: len(pids) == 2 and old[0] not in pids)
            count = len(statuses)
            eventually(lambda: len(statuses), lambda now: now > count + 100)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert set(statuses) <= {0, 200}
    assert statuses.count(0) <= 20
    assert set(statuses[-50:]) == {200}


def test_servers_transport_of_a_file_limits_the_wait_for_the_answer(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    transport = {"forwardingTimeouts": {"responseHeaderTimeout": "200ms"}}
    balancer = {"servers": [{"url": url}], "serversTransport": "quick"}
    dynamic = {
        "http": {
            "routers": {"a": {"rule": "Host(`a`)", "service": "a", "entryPoints": ["web"]}},
            "services": {"a": {"loadBalancer": balancer}},
            "serversTransports": {"quick": transport},
        }
    }
    with silent, edgerouter(tmp_path, ["web"], {}, dynamic) as router:
        start = time.monotonic()
        assert ask(router.ports["web"], host="a").status == 504
        assert 0.15 < time.monotonic() - start < 3
