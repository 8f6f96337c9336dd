"""The same small requests with 10,000 routers: does their cost grow with the number?"""

from collections.abc import Sequence
from pathlib import Path

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import Result, run_load
from bench.processes import Running
from bench.routers import Routes

TITLE = "Small requests, 10,000 routers"
TEXT = (
    "As before, with 10 routers and with 10,000, one after the other in each round. Of 10,000,"
    " first the same ten are asked again and again: that is the cost of a larger table. Then all"
    " are asked in turn, so that what belongs to each router has left the processor's caches when"
    " its turn comes again; the load generator, on another core, pays for that, too."
)
FEW, MANY = 10, 10_000


def measure(settings: Settings) -> list[Series]:
    few = Series(f"CPU per request, {FEW} routers", "µs")
    ten = Series(f"CPU per request, {MANY:,} routers, ten asked", "µs")
    every = Series(f"CPU per request, {MANY:,} routers, all asked", "µs")
    ten_ratio = Series("Ten asked, to 10 routers", "")
    every_ratio = Series("All asked, to 10 routers", "")
    rate = Series("Requests per second, all asked", "1/s")
    latency = Series("Latency, 99th percentile, all asked", "ms")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:

        def cost(
            running: Running, directory: Path, hosts: Sequence[str], cpu: Series
        ) -> tuple[float, Result]:
            run_load(directory, running.port, hosts, seconds=1)
            before = running.cpu()
            result = run_load(directory, running.port, hosts, seconds=settings.seconds)
            spent = (running.cpu() - before) * 1e6 / result.requests
            cpu.add(running.name, spent)
            return spent, result

        def once(contestant: str) -> None:
            routes = Routes(FEW, upstream)
            with started(contestant, routes) as (running, directory):
                base, _ = cost(running, directory, routes.hosts, few)
            routes = Routes(MANY, upstream)
            with started(contestant, routes) as (running, directory):
                same, _ = cost(running, directory, routes.hosts[:FEW], ten)
                spent, result = cost(running, directory, routes.hosts, every)
            ten_ratio.add(contestant, same / base)
            every_ratio.add(contestant, spent / base)
            rate.add(contestant, result.rate)
            latency.add(contestant, result.p99 / 1000)
            failed.add(contestant, result.failed)

        in_turns(settings, once)
    return [few, ten, ten_ratio, every, every_ratio, rate, latency, failed]
