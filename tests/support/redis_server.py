"""A real redis-server for one test, without files, on a port of its own."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.needed import needed
from tests.support.router_process import free_ports


class RedisServer:
    """A server that can be stopped and started again."""

    def __init__(self, directory: Path, *options: str) -> None:
        (self.port,) = free_ports(1)
        self.endpoint = f"127.0.0.1:{self.port}"
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._directory), *self._options], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while self.cli("ping") not in ("PONG", "NOAUTH Authentication required."):
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.02)

    def hang(self) -> None:
        """Have it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def cli(self, *command: str) -> str:
        """Return what redis-cli prints."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *command],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()


def require_redis() -> None:
    """Skip the test without Redis, or fail it under CI."""
    needed("redis-server")


@contextmanager
def redis_server(directory: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server with ``options`` of its command line."""
    server = RedisServer(directory, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
