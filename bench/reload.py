"""One route of 5,000 changes: how long workers stand still, and what requests feel of it."""

import re
import time

from bench.harness import Series, Settings, running_upstream, say, started
from bench.load import Pace, load
from bench.routers import Routes, dynamic_yaml, host, replace_file

TITLE = "One change among 5,000 routes"
TEXT = (
    "A file with 5,000 routers and services of which one changes, five times. "
    "In the worker: from the change that has been received to the new table in force, during which "
    "the event loop serves nobody (`Route table swapped` in the log). "
    "Latency: of small requests on one keep-alive connection meanwhile. "
    "nginx is left out: it has no provider."
)
ROUTERS = 5000
CHANGES = 5
SWAP = re.compile(rb"Route table swapped.*?milliseconds[\"=: ]+([0-9.]+)")
FLAGS = {
    "traefik": ("--providers.providersthrottleduration=1ms",),
    "edgerouter": ("--providers.providersthrottleduration=1ms", "--log.level=DEBUG"),
}


def measure(settings: Settings) -> list[Series]:
    swap = Series("In the worker", "ms")
    delay = Series("Write to effect", "ms")
    latency = Series("Latency, 99th percentile", "ms")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        for contestant in settings.contestants:
            if contestant == "nginx":
                continue
            say(f"  {contestant}")
            routes = Routes(ROUTERS, upstream, version=1)
            with started(contestant, routes, *FLAGS[contestant]) as (running, directory):
                path = directory / "dynamic" / "routes.yaml"
                before = len(SWAP.findall(running.log.read_bytes()))
                with load(
                    directory, running.port, [host(0)], pace=Pace(1), seconds=600
                ) as under_way:
                    for version in range(2, CHANGES + 2):
                        text = dynamic_yaml(Routes(ROUTERS, upstream, version))
                        start = time.perf_counter()
                        replace_file(path, text)
                        running.wait("localhost", f"/version-{version}")
                        delay.add(contestant, (time.perf_counter() - start) * 1000)
                    result = under_way.stop()
                for found in SWAP.findall(running.log.read_bytes())[before:]:
                    swap.add(contestant, float(found))
                latency.add(contestant, result.p99 / 1000)
                failed.add(contestant, result.failed)
    return [swap, delay, latency, failed]
