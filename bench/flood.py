"""A flood that a rate limit refuses: how fast 429 can be said."""

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes

TITLE = "A flood that is refused"
TEXT = (
    "Small requests of one client to a route with rateLimit, one request per second: nearly all are"
    " answered 429. nginx does it with limit_req."
)
MIDDLEWARES = {"limited": {"rateLimit": {"average": 1, "burst": 2}}}
NGINX_HTTP = (
    "limit_req_zone $binary_remote_addr zone=all:10m rate=1r/s; limit_req_status 429;"
    " limit_req_log_level info;"
)


def measure(settings: Settings) -> list[Series]:
    rate = Series("Refusals per second", "1/s")
    cpu = Series("CPU per refusal", "µs")
    latency = Series("Latency, 99th percentile", "ms")
    passed = Series("Requests that passed per second", "1/s")
    with running_upstream() as upstream:
        routes = Routes(
            1,
            upstream,
            middlewares=MIDDLEWARES,
            nginx_http=NGINX_HTTP,
            nginx_location="limit_req zone=all burst=2 nodelay;",
        )

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                run_load(directory, running.port, routes.hosts, seconds=1)
                before = running.cpu()
                result = run_load(directory, running.port, routes.hosts, seconds=settings.seconds)
                cpu.add(contestant, (running.cpu() - before) * 1e6 / result.requests)
            # wrk counts answers of 400 and above as failed.
            seconds = result.microseconds / 1e6
            rate.add(contestant, result.failed / seconds)
            latency.add(contestant, result.p99 / 1000)
            passed.add(contestant, (result.requests - result.failed) / seconds)

        in_turns(settings, once)
    return [rate, cpu, latency, passed]
