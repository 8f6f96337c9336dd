"""Small keep-alive requests with the header fields of a browser: CPU per request, rate, latency."""

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes

TITLE = "Small requests, 10 routers"
TEXT = (
    "GET with twelve header fields, 120 bytes of answer, 32 keep-alive connections, "
    "the hosts in turn."
)
ROUTERS = 10


def measure(settings: Settings) -> list[Series]:
    cpu = Series("CPU per request", "µs")
    rate = Series("Requests per second", "1/s")
    latency = Series("Latency, 99th percentile", "ms")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        routes = Routes(ROUTERS, upstream)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                run_load(directory, running.port, routes.hosts, seconds=1)
                before = running.cpu()
                result = run_load(directory, running.port, routes.hosts, seconds=settings.seconds)
                cpu.add(contestant, (running.cpu() - before) * 1e6 / result.requests)
            rate.add(contestant, result.rate)
            latency.add(contestant, result.p99 / 1000)
            failed.add(contestant, result.failed)

        in_turns(settings, once)
    return [cpu, rate, latency, failed]
