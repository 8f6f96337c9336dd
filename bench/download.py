"""Downloads of one megabyte: CPU per gigabyte."""

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes

TITLE = "Downloads"
TEXT = "GET of 1 MB, 32 keep-alive connections."


def measure(settings: Settings) -> list[Series]:
    cpu = Series("CPU per gigabyte", "s")
    rate = Series("Throughput", "MB/s")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        routes = Routes(10, upstream)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                before = running.cpu()
                result = run_load(
                    directory, running.port, routes.hosts, path="/large", seconds=settings.seconds
                )
                cpu.add(contestant, (running.cpu() - before) * 1e9 / result.bytes)
            rate.add(contestant, result.bytes / result.microseconds)
            failed.add(contestant, result.failed)

        in_turns(settings, once)
    return [cpu, rate, failed]
