"""``edgerouter healthcheck`` against a small server on the loopback."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from edgerouter.cli import main, orders


class Ping(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/ping" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    monkeypatch.chdir(tmp_path)
    with HTTPServer(("127.0.0.1", 0), Ping) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "", "0.0.0.0", "localhost"])
def test_healthy(host: str, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["healthcheck", "--ping", f"--entrypoints.traefik.address={host}:{port}"]
    assert main(argv, {}) == 0
    assert capsys.readouterr().out.startswith("OK: http://")


def test_the_entry_point_of_ping_is_asked(port: int) -> None:
    environ = {
        "TRAEFIK_PING_ENTRYPOINT": "web",
        "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS": f"127.0.0.1:{port}",
    }
    assert main(["healthcheck"], environ) == 0


def test_terminating(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Ping, "status", 503)
    argv = ["healthcheck", "--ping", f"--entrypoints.traefik.address=127.0.0.1:{port}"]
    assert main(argv, {}) == 1
    assert f"http://127.0.0.1:{port}/ping answered 503" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "no running router of this user was found"),
        (["--log.level=INFO"], "or start the router and this check with --ping"),
        (["--lgo"], 'unknown option "lgo"'),
        (["--ping.manualrouting", "--ping.entrypoint=x"], 'no entry point "x" for ping'),
    ],
)
def test_what_cannot_be_asked(
    argv: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(orders, "PLACES", (str(tmp_path),))
    assert main(["healthcheck", *argv], {}) == 1
    assert words in capsys.readouterr().err


def test_nobody_listens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        argv = ["healthcheck", "--ping", f"--entrypoints.traefik.address={address}"]
        assert main(argv, {}) == 1
    assert "refused" in capsys.readouterr().err
