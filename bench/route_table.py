"""Measure route tables: microseconds per request and seconds per build, by size and shape.

python bench/route_table.py [requests]
"""

import sys
from collections.abc import Callable
from random import Random
from time import perf_counter

from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request, Response
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable

SIZES = (10, 100, 1000, 10_000)
SHAPES: dict[str, tuple[Callable[[int], str], Callable[[int], tuple[str, str]]]] = {
    "Host": (lambda n: f"Host(`s{n}.example.com`)", lambda n: (f"s{n}.example.com", "/x")),
    "Host || Host": (
        lambda n: f"Host(`s{n}.example.com`) || Host(`www.s{n}.example.com`)",
        lambda n: (f"www.s{n}.example.com", "/x"),
    ),
    "Host && PathPrefix": (
        lambda n: f"Host(`s{n}.example.com`) && PathPrefix(`/api`)",
        lambda n: (f"s{n}.example.com", "/api/users"),
    ),
    "one host, PathPrefix": (
        lambda n: f"Host(`example.com`) && PathPrefix(`/s{n}/`)",
        lambda n: ("example.com", f"/s{n}/users"),
    ),
    "one host, Path": (
        lambda n: f"Host(`example.com`) && Path(`/s{n}`)",
        lambda n: ("example.com", f"/s{n}"),
    ),
    "PathPrefix": (lambda n: f"PathPrefix(`/s{n}/`)", lambda n: ("example.com", f"/s{n}/users")),
    "Host(*.x)": (
        lambda n: f"Host(`*.s{n}.example.com`)",
        lambda n: (f"a.s{n}.example.com", "/x"),
    ),
    "Host && Header": (
        lambda n: f"Host(`s{n}.example.com`) && Header(`X-Version`, `2`)",
        lambda n: (f"s{n}.example.com", "/x"),
    ),
    "no match": (lambda n: f"Host(`s{n}.example.com`)", lambda n: (f"t{n}.example.com", "/x")),
}


async def _handler(_: Request) -> Response:
    raise NotImplementedError


def _request(host: str, path: str) -> Request:
    request = Request.__new__(Request)
    request.method, request.host, request.path, request.query = "GET", host, path, None
    request.headers = Headers([(b"Accept", b"*/*"), (b"X-Version", b"2")])
    request.peer = Peer("192.0.2.1", 4711, "web")
    return request


def _measure(shape: str, size: int, requests: int) -> tuple[float, float, float]:
    rule, target = SHAPES[shape]
    compile_rule.cache_clear()
    start = perf_counter()
    rules = [compile_rule(rule(n)) for n in range(size)]
    parsed = perf_counter() - start
    start = perf_counter()
    table = RouteTable(
        Route(f"r{n}@docker", compiled, handler=_handler, priority=len(compiled.text))
        for n, compiled in enumerate(rules)
    )
    built = perf_counter() - start
    random = Random(1)
    sample = [_request(*target(random.randrange(size))) for _ in range(min(requests, 1000))]
    match = table.match
    rounds = max(requests // len(sample), 1)
    start = perf_counter()
    for _ in range(rounds):
        for request in sample:
            match(request)
    asked = perf_counter() - start
    return parsed, built, asked / (rounds * len(sample)) * 1e6


def main() -> None:
    """Print one line per shape and size."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print("shape                  routers   parse s   build s   µs/request")
    for shape in SHAPES:
        for size in SIZES:
            parsed, built, asked = _measure(shape, size, requests)
            print(f"{shape:22} {size:7} {parsed:9.3f} {built:9.3f} {asked:12.2f}")


if __name__ == "__main__":
    main()
