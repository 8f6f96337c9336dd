"""100 servers in one service against 2: does choosing one cost more with their number?"""

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes, host, replace_file

TITLE = "100 servers in one service"
TEXT = (
    "Small requests to a service with 2 servers and to one with 100, which are all the same "
    "upstream by different paths; both services in one process, in turns. "
    "nginx is left out: its servers cannot be told apart that way."
)
COUNTS = (2, 100)


def measure(settings: Settings) -> list[Series]:
    series = {count: Series(f"CPU per request, {count} servers", "µs") for count in COUNTS}
    ratio = Series("100 servers to 2", "")
    with running_upstream() as upstream:

        def once(contestant: str) -> None:
            if contestant == "nginx":
                return
            routes = Routes(1, upstream)
            flags = ("--providers.providersthrottleduration=1ms",)
            with started(contestant, routes, *flags) as (running, directory):
                replace_file(directory / "dynamic" / "routes.yaml", _services(upstream))
                running.wait("servers-100.example.com")
                costs = {}
                for count in COUNTS:
                    hosts = [f"servers-{count}.example.com"]
                    run_load(directory, running.port, hosts, seconds=1)
                    before = running.cpu()
                    result = run_load(directory, running.port, hosts, seconds=settings.seconds)
                    costs[count] = (running.cpu() - before) * 1e6 / result.requests
                    series[count].add(contestant, costs[count])
                ratio.add(contestant, costs[100] / costs[2])

        in_turns(settings, once)
    return [*series.values(), ratio]


def _services(upstream: int) -> str:
    """Return services whose servers differ in their paths, which are not sent."""
    routers = [f"    first: {{rule: 'Host(`{host(0)}`)', service: servers-2}}"]
    services = []
    for count in COUNTS:
        name = f"servers-{count}"
        routers.append(f"    {name}: {{rule: 'Host(`{name}.example.com`)', service: {name}}}")
        urls = ", ".join(f'{{url: "http://127.0.0.1:{upstream}/{n}"}}' for n in range(count))
        services.append(f"    {name}: {{loadBalancer: {{servers: [{urls}]}}}}")
    return "\n".join(["http:", "  routers:", *routers, "  services:", *services]) + "\n"
