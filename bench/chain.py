"""What a chain of four middlewares costs: the difference to the same requests without it."""

from dataclasses import replace

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes

TITLE = "A chain of middlewares"
TEXT = (
    "The small requests with stripPrefix, headers (two fields each way), ipAllowList and rateLimit"
    " (which lets all pass) before the service; nginx does the same with rewrite, header fields,"
    " allow and limit_req. Added is the CPU time beyond that without the chain."
)
ROUTERS = 10
MIDDLEWARES = {
    "strip": {"stripPrefix": {"prefixes": ["/api"]}},
    "fields": {
        "headers": {
            "customRequestHeaders": {"X-One": "1", "X-Two": "2"},
            "customResponseHeaders": {"X-Three": "3", "X-Four": "4"},
        }
    },
    "allowed": {"ipAllowList": {"sourceRange": ["10.0.0.0/8", "192.168.0.0/16", "127.0.0.0/8"]}},
    "limited": {"rateLimit": {"average": 1_000_000, "burst": 1_000_000}},
}
NGINX_HTTP = "limit_req_zone $binary_remote_addr zone=all:10m rate=1000000r/s;"
NGINX_LOCATION = (
    "rewrite ^/api(/.*)$ $1 break; proxy_set_header X-One 1; proxy_set_header X-Two 2;"
    " add_header X-Three 3; add_header X-Four 4; allow 10.0.0.0/8; allow 192.168.0.0/16;"
    " allow 127.0.0.0/8; deny all; limit_req zone=all burst=100000 nodelay;"
)


def measure(settings: Settings) -> list[Series]:
    added = Series("CPU added per request", "µs")
    cpu = Series("CPU per request with the chain", "µs")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        plain = Routes(ROUTERS, upstream, ready="/api/")
        chained = replace(
            plain,
            middlewares=MIDDLEWARES,
            nginx_http=NGINX_HTTP,
            nginx_location=NGINX_LOCATION,
        )

        def cost(contestant: str, routes: Routes) -> float:
            with started(contestant, routes) as (running, directory):
                run_load(directory, running.port, routes.hosts, path="/api/", seconds=1)
                before = running.cpu()
                result = run_load(
                    directory, running.port, routes.hosts, path="/api/", seconds=settings.seconds
                )
                failed.add(contestant, result.failed)
                return (running.cpu() - before) * 1e6 / result.requests

        def once(contestant: str) -> None:
            base = cost(contestant, plain)
            total = cost(contestant, chained)
            cpu.add(contestant, total)
            added.add(contestant, total - base)

        in_turns(settings, once)
    return [added, cpu, failed]
