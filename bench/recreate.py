"""Containers re-created again and again under load, the same ones for all contestants."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import NamedTuple

import docker

from bench.harness import Series, Settings, say, scratch
from bench.processes import Running
from bench.routers import CONTESTANTS
from tests.support.docker.compose import Compose
from tests.support.docker.engine import RUN_LABEL, WHOAMI_IMAGE, Engine, run_script, sweep
from tests.support.docker.load import Load

TITLE = "Containers that are re-created"
TEXT = (
    "`docker compose up -d --force-recreate` again and again, while every router gets 60 GET and 60"
    " POST requests a second for a service whose answers take 10 ms, half of them on new"
    " connections. Application A closes its listener at SIGTERM and finishes what it has;"
    " application B ends at once; application C does not heed the signal and is killed after ten"
    " seconds. Failed is whatever was not answered with 200."
    " Both routers serve the same containers at the same time."
)
RUN = "bench-recreate"
HOST = "recreate.example.com"
PATH = "/?bytes=0&wait_ms=10"
RATE = 30
LABELS = {
    "traefik.enable": "true",
    "traefik.http.routers.recreate.rule": f"Host(`{HOST}`)",
    "traefik.http.services.recreate.loadbalancer.server.port": "80",
}
LIFE = 1.0
"""Seconds that containers live at least."""


class Application(NamedTuple):
    """What is re-created, and how it takes that."""

    title: str
    environment: Mapping[str, str] = MappingProxyType({})
    replicas: int = 1
    rarity: int = 1
    """So many times fewer re-creations than of one that ends soon."""
    options: Mapping[str, str] = MappingProxyType({})
    """Further ones of the Compose file."""


FINISHES = {"STOP_MS": "300"}
APPLICATIONS = (
    Application("A, one container", FINISHES),
    Application("B, one container", {"STOP_MS": "0"}),
    # Process 1 takes no notice of a signal it has no handler for.
    Application("C, one container", rarity=10, options={"stop_signal": "SIGUSR1"}),
    Application("A, two replicas", FINISHES, 2, 2),
    Application("A, three replicas", FINISHES, 3, 3),
)


def measure(settings: Settings) -> list[Series]:
    contestants = [name for name in settings.contestants if name != "nginx"]
    found = []
    for application in APPLICATIONS:
        title = application.title
        say(f"  {title}")
        count = max(1, settings.recreations // application.rarity)
        series = {
            method: Series(f"{title}: failed {method} in {count} re-creations", "")
            for method in ("GET", "POST")
        }
        requests = Series(f"{title}: requests", "")
        slowest = Series(f"{title}: slowest answer with 200", "ms")
        with _service(application) as (host, compose), ExitStack() as stack:
            routers = [_router(stack, name, host) for name in contestants]
            loads = _under_load(compose, routers, count)
        for (name, method), load in loads.items():
            series[method].add(name, len(load.failures))
        for name in contestants:
            own = [loads[name, method] for method in series]
            requests.add(name, sum(len(load.samples) for load in own))
            took = [s.took for load in own for s in load.samples if s.status == 200]
            slowest.add(name, max(took) * 1000)
        found += [*series.values(), requests, slowest]
    return found


@contextmanager
def _service(application: Application) -> Iterator[tuple[str, Compose]]:
    engine = Engine()
    engine.start()
    run_script("whoami-image.sh", WHOAMI_IMAGE, host=engine.host)
    client = docker.DockerClient(base_url=engine.host, version="auto")
    sweep(client, RUN)  # What an interrupted run has left behind.
    try:
        with scratch() as directory:
            compose = Compose(directory, engine.host, RUN, RUN)
            compose.write(
                "recreate",
                LABELS,
                replicas=application.replicas,
                environment=application.environment,
                **application.options,
            )
            compose.up()
            yield engine.host, compose
    finally:
        sweep(client, RUN)
        client.close()


def _router(stack: ExitStack, name: str, host: str) -> Running:
    directory = stack.enter_context(scratch())
    flags = (
        f"--providers.docker.endpoint={host}",
        "--providers.docker.exposedbydefault=false",
        f"--providers.docker.constraints=Label(`{RUN_LABEL}`,`{RUN}`)",
    )
    running = stack.enter_context(CONTESTANTS[name](directory, None, *flags))
    running.wait(HOST)
    return running


def _under_load(
    compose: Compose, routers: Sequence[Running], count: int
) -> dict[tuple[str, str], Load]:
    with ExitStack() as stack:
        loads = {
            (router.name, method): stack.enter_context(
                Load(router.port, HOST, PATH, method=method, rate=RATE)
            )
            for router in routers
            for method in ("GET", "POST")
        }
        for number in range(count):
            if number % 10 == 0:
                say(f"    {number} of {count}")
            compose.up("--force-recreate")
            time.sleep(LIFE)
    return loads
