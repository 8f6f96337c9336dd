"""Bodies on disk leave nothing behind: not when peers break off, nor when workers are killed."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

SIZE = 3_000_000
BODY = os.urandom(SIZE)
MIDDLEWARES = {
    "buffering": {"buffering": {"memRequestBodyBytes": 1, "memResponseBodyBytes": 1}},
    "retry": {"retry": {"attempts": 2, "status": ["503"], "maxRequestBodyBytes": -1}},
    "auth": {"forwardAuth": {"address": "", "forwardBody": True}},
}


class Upstream:
    """Answers uploads as the path says: wholly, halfway, not at all; or 403 with a large body."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._try, args=(connection,), daemon=True).start()

    def _try(self, connection: socket.socket) -> None:
        with suppress(OSError):  # The router gives up, too.
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while (field := stream.readline()) not in (b"\r\n", b""):
                    if field.lower().startswith(b"content-length:"):
                        length = int(field[15:])
                path = line.split()[1]
                stream.read(length // 2 if path == b"/cut" else length)
                if path == b"/cut":
                    return
                status = b"403 Forbidden" if path == b"/refuse" else b"200 OK"
                head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, SIZE)
                if path == b"/half":
                    connection.sendall(head + BODY[: SIZE // 2])
                    return
                connection.sendall(head + BODY)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    try:
        yield server
    finally:
        server.close()


def workers(router: RouterProcess) -> list[int]:
    path = Path(f"/proc/{router.pid}/task/{router.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def spools(router: RouterProcess, directory: Path) -> list[str]:
    """Return the files below ``directory`` that workers have open, nameless ones too."""
    found = []
    for pid in workers(router):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except FileNotFoundError:
                continue
            if target.startswith(str(directory)):
                found.append(target)
    return found


def connect(router: RouterProcess, host: str, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", router.ports["web"]), timeout=10)
    head = f"PUT {path} HTTP/1.1\r\nHost: {host}.test\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Length: {SIZE}\r\n\r\n".encode())
    return connection


def upload(router: RouterProcess, host: str, path: str) -> bytes:
    with connect(router, host, path) as connection:
        connection.sendall(BODY)
        answer = b""
        while data := connection.recv(1 << 20):
            answer += data
    return answer


@pytest.mark.timeout(60)
def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled = tmp_path / "spooled"
    spooled.mkdir()
    monkeypatch.setenv("TMPDIR", str(spooled))
    with upstream() as server:
        origin = f"http://127.0.0.1:{server.port}"
        middlewares = {**MIDDLEWARES, "refusing": MIDDLEWARES["auth"]}
        for name, path in (("auth", "/"), ("refusing", "/refuse")):
            middlewares[name] = {"forwardAuth": {"address": origin + path, "forwardBody": True}}
        content = {
            "http": {
                "routers": {
                    name: {"rule": f"Host(`{name}.test`)", "middlewares": [name], "service": "s"}
                    for name in middlewares
                },
                "middlewares": middlewares,
                "services": {"s": {"loadBalancer": {"servers": [{"url": origin}]}}},
            }
        }
        flags = {"edgerouter.workers": "1"}
        with edgerouter(tmp_path / "router", ["web"], flags, content) as router:
            for name in middlewares:
                answer = upload(router, name, "/")
                assert answer.endswith(BODY), name
                assert answer.startswith(b"HTTP/1.1 403" if name == "refusing" else b"HTTP/1.1 200")
                upload(router, name, "/cut")
                upload(router, name, "/half")
                with connect(router, name, "/") as connection:  # Gone in the middle.
                    connection.sendall(BODY[: SIZE // 2])
                    eventually(lambda: len(spools(router, spooled)), lambda count: count > 0)
                with connect(router, name, "/") as connection:  # Does not wait for the answer.
                    connection.sendall(BODY)
                    connection.recv(100)
                eventually(lambda: spools(router, spooled), lambda left: not left)
            with connect(router, "buffering", "/") as connection:
                connection.sendall(BODY[: SIZE // 2])
                eventually(lambda: len(spools(router, spooled)), lambda count: count > 0)
                old = workers(router)
                os.kill(old[0], signal.SIGKILL)
                eventually(lambda: workers(router), lambda new: bool(new) and new != old)
            assert [path for path in spooled.rglob("*") if path.is_file()] == []
            assert upload(router, "buffering", "/").endswith(BODY)
        assert list(spooled.iterdir()) == []
