"""Start, pin, wait for, measure and end the processes of a benchmark."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

CORES = sorted(os.sched_getaffinity(0))
ROUTER_CORE = CORES[0]
LOAD_CORE = CORES[-1]
"""The router has a core of its own; upstream and load generator share the other one."""

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def status(port: int, host: str, path: str = "/", timeout: float = 5) -> int:
    """Return the status of one request on a new connection, 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return response.status
    finally:
        connection.close()


@dataclass(slots=True)
class Running:
    """A process with its children, listening on a port of the loopback interface."""

    name: str
    command: Sequence[str]
    port: int
    core: int
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self.command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.directory,
                env={**os.environ, **self.environment},
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait(self, host: str, path: str = "/", timeout: float = 60) -> float:
        """Wait for the first 200 for a host; return the seconds that it took from now."""
        assert self.process is not None
        begin = time.perf_counter()
        while status(self.port, host, path) != 200:
            if self.process.poll() is not None or time.perf_counter() - begin > timeout:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not answer 200 for {host}{path}:\n{tail}")
            time.sleep(0.002)
        return time.perf_counter() - begin

    def pids(self) -> list[int]:
        """Return the process and all its descendants."""
        assert self.process is not None
        parents = dict(_parents())
        found = [self.process.pid]
        for pid in found:
            found.extend(child for child, parent in parents.items() if parent == pid)
        return found

    def cpu(self) -> float:
        """Return the CPU seconds that all processes and their threads have used so far."""
        return sum(_cpu(pid) for pid in self.pids())

    def memory(self) -> dict[str, float]:
        """Return MB of resident memory by process: `main` is the first, the others its children."""
        pids = self.pids()
        sizes = {"main": resident(pids[0])}
        for number, pid in enumerate(pids[1:]):
            sizes[f"worker {number}"] = resident(pid)
        return sizes


def _stat(pid: int) -> list[str]:
    # The second field, the name in parentheses, may contain spaces.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * TICK


def resident_parts(pid: int) -> tuple[float, float]:
    """Return MB of resident memory: of the process's own, and shared with others of its kind."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    own, shared = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("RssAnon", "RssShmem"))
    return own, shared


def resident(pid: int) -> float:
    """Return MB of resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
