"""Runs a router, Traefik or edgerouter, with flags and one dynamic file on loopback ports."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.raw_http import exchange

_SENTINEL = "harness-ready"
DEADLINE = 20.0
"""Seconds a router has for start and for taking a configuration."""


_held: deque[socket.socket] = deque()
HELD = 400
"""So many ports at most are held; those that were asked for long ago are in use or done with."""


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, and which the system gives to nobody else for a while.

    They stay bound here, without listening: with SO_REUSEADDR, as servers set it, others may bind
    to them by number, but none gets them as "any free port".
    """
    ports = []
    for _ in range(count):
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        _held.append(holder)
        ports.append(holder.getsockname()[1])
    while len(_held) > HELD:
        _held.popleft().close()
    return ports


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class RouterProcess:
    """One running router; a context manager that starts, waits and stops.

    Entry points get ports of their own (``ports``); the API answers on the
    entry point ``traefik``. In the values of ``flags`` ``{web}`` is the port of
    the entry point ``web`` and ``{directory}`` a directory for files.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        entrypoints: Sequence[str],
        flags: Mapping[str, str],
        dynamic: Mapping[str, Any],
    ) -> None:
        self._command = list(command)
        self._directory = directory
        self._flags = dict(flags)
        self._dynamic = dynamic
        names = [*entrypoints, "traefik"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.log = directory / "router.log"
        self._generation = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.write(self._dynamic)
        names = {**self.ports, "directory": self._directory}
        arguments = [
            *self._command,
            *(
                f"--entrypoints.{name}.address=127.0.0.1:{port}"
                for name, port in self.ports.items()
            ),
            "--api.insecure=true",
            f"--providers.file.filename={self._directory / 'dynamic.yml'}",
            *(f"--{name}={value.format_map(names)}" for name, value in self._flags.items()),
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=Path.cwd())
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, first kindly."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the process as a crash does; return when nobody listens on its ports."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        end = time.monotonic() + DEADLINE
        while any(map(_is_open, self.ports.values())):
            if time.monotonic() > end:
                raise RuntimeError("somebody still listens")
            time.sleep(0.02)

    def apply(self, dynamic: Mapping[str, Any]) -> None:
        """Replace the dynamic file and wait until it is in use."""
        self.write(dynamic)
        self._wait()

    def get(self, path: str) -> Any:
        """Return the JSON of the API at ``path``.

        Raises:
            OSError: The API does not answer or answers with an error.
        """
        url = f"http://127.0.0.1:{self.ports['traefik']}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)

    def write(self, dynamic: Mapping[str, Any]) -> None:
        """Write the dynamic file in one step, with a router that tells when it has been read."""
        self._generation += 1
        content = json.loads(json.dumps(dynamic))
        http = content.setdefault("http", {})
        http.setdefault("routers", {})[_SENTINEL] = {
            "rule": f"Host(`{_SENTINEL}-{self._generation}.invalid`)",
            "service": _SENTINEL,
        }
        http.setdefault("services", {})[_SENTINEL] = {
            "loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}
        }
        # JSON is YAML.
        new = self._directory / ".dynamic.new"
        new.write_text(json.dumps(content, indent=1))
        new.replace(self._directory / "dynamic.yml")

    def _wait(self) -> None:
        end = time.monotonic() + DEADLINE
        path = f"/api/http/routers/{_SENTINEL}@file"
        rule = f"Host(`{_SENTINEL}-{self._generation}.invalid`)"
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"the router ended:\n{self._tail()}")
            try:
                if self.get(path)["rule"] == rule and self._serves_sentinel():
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"the router did not take its configuration:\n{self._tail()}")
            time.sleep(0.02)

    def _serves_sentinel(self) -> bool:
        """Tell whether the entry point knows the newest configuration: 502, not 404."""
        host = f"{_SENTINEL}-{self._generation}.invalid"
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        port = next(iter(self.ports.values()))
        return all(exchange(port, request)[0].status == 502 for _ in range(3))

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
