"""The load: wrk with the header fields of a browser, its result as numbers."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import LOAD_CORE

# Twelve fields with Host, as a current browser sends them.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://www.example.com/a/page/of/the/application",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "DNT": "1",
    "Priority": "u=0, i",
}

SCRIPT = """
local hosts = {%s}
local pause = %d
local requests = {}
local next_request = 0
function init()
  for number, host in ipairs(hosts) do
    wrk.headers["Host"] = host
    requests[number] = wrk.format("GET", "%s")
  end
end
function request()
  next_request = next_request %% #requests + 1
  return requests[next_request]
end
if pause > 0 then
  function delay()
    return math.random(0, 2 * pause)
  end
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%%d,"microseconds":%%d,"bytes":%%d,"failed":%%d,"p50":%%d,"p99":%%d}\\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What wrk has counted; latencies in microseconds."""

    requests: int
    microseconds: int
    bytes: int
    failed: int
    p50: int
    p99: int

    @property
    def rate(self) -> float:
        return self.requests * 1e6 / self.microseconds


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked for."""

    connections: int = 32
    pause: int = 0
    """Milliseconds that each connection waits on average between an answer and its next request."""


FULL = Pace()
"""A core has nothing left."""


class Load:
    """A run of wrk that is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def result(self) -> Result:
        """Wait for its end."""
        return self._read()

    def stop(self) -> Result:
        """End it early; wrk still reports."""
        self._process.send_signal(signal.SIGINT)
        return self._read()

    def _read(self) -> Result:
        output, _ = self._process.communicate()
        _, _, text = output.partition("\nRESULT ")
        if not text:
            raise RuntimeError(f"wrk failed:\n{output}")
        return Result(**json.loads(text))


@contextmanager
def load(
    directory: Path,
    port: int,
    hosts: Sequence[str],
    *,
    path: str = "/",
    pace: Pace = FULL,
    seconds: float,
    scheme: str = "http",
    fields: Mapping[str, str] = HEADERS,
) -> Iterator[Load]:
    """Start wrk, which asks for each of the hosts in turn on keep-alive connections."""
    script = directory / "load.lua"
    script.write_text(SCRIPT % (",".join(f'"{host}"' for host in hosts), pace.pause, path))
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "--threads", "1"]
    command += ["--connections", str(pace.connections), "--duration", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "10s", "--script", str(script)]
    for name, value in fields.items():
        command += ["--header", f"{name}: {value}"]
    process = subprocess.Popen(
        [*command, f"{scheme}://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Load(process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def run_load(
    directory: Path,
    port: int,
    hosts: Sequence[str],
    *,
    path: str = "/",
    pace: Pace = FULL,
    seconds: float,
) -> Result:
    """Run wrk from beginning to end."""
    with load(directory, port, hosts, path=path, pace=pace, seconds=seconds) as running:
        return running.result()
