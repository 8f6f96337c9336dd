"""Answers of 20 KB of JSON, compressed for the client: CPU per request."""

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import Pace, run_load
from bench.routers import JSON, Routes

TITLE = "Compression"
TEXT = (
    f"GET of {len(JSON) / 1000:.0f} KB of JSON with compress, in gzip; 16 keep-alive connections."
    " nginx compresses with gzip at its default level, 1."
)
ROUTERS = 10
MIDDLEWARES = {"compressed": {"compress": {"encodings": ["gzip"]}}}
NGINX_LOCATION = "gzip on; gzip_types application/json; gzip_proxied any; gzip_vary on;"


def measure(settings: Settings) -> list[Series]:
    cpu = Series("CPU per request", "µs")
    rate = Series("Requests per second", "1/s")
    size = Series("Bytes per answer", "")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        routes = Routes(ROUTERS, upstream, middlewares=MIDDLEWARES, nginx_location=NGINX_LOCATION)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                before = running.cpu()
                result = run_load(
                    directory,
                    running.port,
                    routes.hosts,
                    path="/json",
                    pace=Pace(16),
                    seconds=settings.seconds,
                )
                cpu.add(contestant, (running.cpu() - before) * 1e6 / result.requests)
            rate.add(contestant, result.rate)
            size.add(contestant, result.bytes / result.requests)
            failed.add(contestant, result.failed)

        in_turns(settings, once)
    return [cpu, rate, size, failed]
