"""Table swaps under load: the file provider's file is rewritten again and again."""

import http.client
import time
from pathlib import Path

from bench.harness import Series, Settings, running_upstream, say, started
from bench.load import Pace, load
from bench.processes import Running
from bench.routers import Routes, dynamic_yaml, host, replace_file

TITLE = "Table swaps under load"
TEXT = (
    "100 routers in a file that is rewritten as soon as the previous content is in effect, "
    "while 8 keep-alive connections send requests. "
    "A swap counts once a route that is only in the new content answers. "
    "nginx is left out: it has no provider."
)
ROUTERS = 100
LIMIT = 120.0
"""Seconds after which a contestant's swaps end, however many there were."""
FLAGS = ("--providers.providersthrottleduration=1ms",)


def measure(settings: Settings) -> list[Series]:
    delay = Series("Write to effect", "ms")
    swaps = Series("Swaps", "")
    requests = Series("Requests per second meanwhile", "1/s")
    failed = Series("Failed requests", "")
    before = Series("Memory of all processes before", "MB")
    after = Series("Memory of all processes after", "MB")
    with running_upstream() as upstream:
        for contestant in settings.contestants:
            if contestant == "nginx":
                continue
            say(f"  {contestant}")
            with started(contestant, Routes(ROUTERS, upstream, version=1), *FLAGS) as (
                running,
                directory,
            ):
                _warm_up(running, directory)
                before.add(contestant, sum(running.memory().values()))
                with load(
                    directory, running.port, [host(0)], pace=Pace(8), seconds=LIMIT + 30
                ) as under_way:
                    delays = _swap(running, directory, upstream, settings.swaps)
                    result = under_way.stop()
                after.add(contestant, sum(running.memory().values()))
            for value in delays:
                delay.add(contestant, value * 1000)
            swaps.add(contestant, len(delays))
            requests.add(contestant, result.rate)
            failed.add(contestant, result.failed)
    return [delay, swaps, requests, failed, before, after]


def _warm_up(running: Running, directory: Path) -> None:
    with load(directory, running.port, [host(0)], pace=Pace(8), seconds=2) as under_way:
        under_way.result()


def _swap(running: Running, directory: Path, upstream: int, count: int) -> list[float]:
    """Rewrite the file up to `count` times; return the seconds until each was in effect."""
    path = directory / "dynamic" / "routes.yaml"
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    delays = []
    begin = time.perf_counter()
    for version in range(2, count + 2):
        text = dynamic_yaml(Routes(ROUTERS, upstream, version))
        written = time.perf_counter()
        if written - begin > LIMIT:
            break
        replace_file(path, text)
        while not _is_served(connection, f"/version-{version}"):
            if time.perf_counter() - written > 30:
                raise RuntimeError(f"{running.name}: version {version} did not come into effect")
            time.sleep(0.001)
        delays.append(time.perf_counter() - written)
    connection.close()
    return delays


def _is_served(connection: http.client.HTTPConnection, path: str) -> bool:
    connection.request("GET", path, headers={"Host": "localhost"})
    response = connection.getresponse()
    response.read()
    return response.status == 200
