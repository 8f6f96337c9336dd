"""From the start of the process to the first 200, and the memory after some load."""

import time

from bench.harness import Series, Settings, in_turns, running_upstream, scratch
from bench.load import run_load
from bench.routers import CONTESTANTS, Routes

TITLE = "Start and memory"
TEXT = (
    "Ten routers. Resident memory after two seconds of small requests: "
    "of the process that serves, and of all processes together."
)


def measure(settings: Settings) -> list[Series]:
    first = Series("Start to first 200", "ms")
    worker = Series("Memory of the serving process", "MB")
    total = Series("Memory of all processes", "MB")
    with running_upstream() as upstream:
        routes = Routes(10, upstream)

        def once(contestant: str) -> None:
            with scratch() as directory:
                begin = time.perf_counter()
                with CONTESTANTS[contestant](directory, routes) as running:
                    running.wait(routes.hosts[0])
                    first.add(contestant, (time.perf_counter() - begin) * 1000)
                    run_load(directory, running.port, routes.hosts, seconds=2)
                    sizes = list(running.memory().values())
                    worker.add(contestant, sizes[-1])
                    total.add(contestant, sum(sizes))

        in_turns(settings, once)
    return [first, worker, total]
