"""Containers come and go on a real Docker Engine with many labelled containers."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import docker
from docker.models.containers import Container

from bench.harness import Series, Settings, say, scratch
from bench.processes import Running, status
from bench.routers import CONTESTANTS
from tests.support.docker.engine import WHOAMI_IMAGE, Engine, run_script

TITLE = "Containers that come and go"
TEXT = (
    "The Docker provider of both on one engine with many labelled containers. "
    "Start: from the moment when the container runs to the first 200. "
    "Stop: one of the two containers of a service gets SIGTERM, closes its listener at once and "
    "ends after half a second, while 100 new requests a second are sent to the service; "
    "failed are those that did not get 200. "
    "Removal: from the end of a container to the first 404 for its route, with "
    "edgerouter.turnover.hold=0 (by default requests wait ten seconds for another one). "
    "nginx is left out: it has no provider."
)
LABEL = "er.bench"
HOST = "turnover.example.com"
RATE = 100
FLAGS = ("--providers.docker.exposedbydefault=false",)


def measure(settings: Settings) -> list[Series]:
    crowd = Series("Labelled containers", "")
    first = Series("Start to first 200", "ms")
    failed = Series("Failed requests per stop", "")
    gone = Series("End to first 404", "ms")
    contestants = [name for name in settings.contestants if name != "nginx"]
    with _engine() as (client, host):
        say(f"  starting {settings.containers} containers")
        for number in range(settings.containers):
            _run(client, f"crowd-{number}", f"crowd-{number}.example.com")
        with ExitStack() as stack:
            routers = [_router(stack, name, host, settings.containers) for name in contestants]
            for number in range(settings.rounds):
                say(f"  round {number + 1} of {settings.rounds}")
                _round(client, routers, number, (first, failed, gone))
    for name in contestants:
        crowd.add(name, settings.containers)
    return [crowd, first, failed, gone]


def _round(
    client: docker.DockerClient, routers: Sequence[Running], number: int, series: Sequence[Series]
) -> None:
    first, failed, gone = series
    service = f"turnover-{number}"
    one = _run(client, f"{service}-1", HOST, service)
    started = time.perf_counter()
    for router, moment in asyncio.run(_until(routers, 200)).items():
        first.add(router, (moment - started) * 1000)
    two = _run(client, f"{service}-2", HOST, service)
    time.sleep(2)  # Both are in the table: there is no event to wait for that all routers have.
    for router, count in asyncio.run(_stop_under_load(routers, one)).items():
        failed.add(router, count)
    two.kill()
    ended = time.perf_counter()
    for router, moment in asyncio.run(_until(routers, 404)).items():
        gone.add(router, (moment - ended) * 1000)


@contextmanager
def _engine() -> Iterator[tuple[docker.DockerClient, str]]:
    engine = Engine()
    engine.start()
    run_script("whoami-image.sh", WHOAMI_IMAGE, host=engine.host)
    client = docker.DockerClient(base_url=engine.host, version="auto")
    _remove_all(client)  # What an interrupted run has left behind.
    try:
        yield client, engine.host
    finally:
        _remove_all(client)
        client.close()


def _remove_all(client: docker.DockerClient) -> None:
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True)


def _run(
    client: docker.DockerClient, name: str, host: str, service: str | None = None
) -> Container:
    router = service or name
    labels = {
        LABEL: "1",
        "traefik.enable": "true",
        f"traefik.http.routers.{router}.rule": f"Host(`{host}`)",
        f"traefik.http.services.{router}.loadbalancer.server.port": "80",
    }
    environment = {"STOP_MS": "500"}
    return client.containers.run(
        WHOAMI_IMAGE, name=f"er-bench-{name}", labels=labels, environment=environment, detach=True
    )


def _router(stack: ExitStack, name: str, host: str, containers: int) -> Running:
    directory = stack.enter_context(scratch())
    ours = ("--edgerouter.turnover.hold=0",) if name == "edgerouter" else ()
    flags = (f"--providers.docker.endpoint={host}", *FLAGS, *ours)
    running = stack.enter_context(CONTESTANTS[name](directory, None, *flags))
    running.wait(f"crowd-{containers - 1}.example.com")
    return running


async def _until(routers: Sequence[Running], wanted: int) -> dict[str, float]:
    """Ask all routers at once until each answers with a status; return the moments."""

    async def ask(router: Running) -> tuple[str, float]:
        async with asyncio.timeout(30):
            # A short limit: a router that dials a dead address may hold the request for long.
            while await asyncio.to_thread(status, router.port, HOST, timeout=0.2) != wanted:
                await asyncio.sleep(0.002)
        return router.name, time.perf_counter()

    return dict(await asyncio.gather(*(ask(router) for router in routers)))


async def _stop_under_load(routers: Sequence[Running], container: Container) -> dict[str, int]:
    """Send requests at a fixed rate from before the stop until after it; count those that fail."""
    failed = {router.name: 0 for router in routers}
    stopped = asyncio.Event()

    async def one(router: Running) -> None:
        if await asyncio.to_thread(status, router.port, HOST) != 200:
            failed[router.name] += 1

    async def send(router: Running) -> None:
        async with asyncio.TaskGroup() as requests:
            after = RATE // 2
            while after:
                requests.create_task(one(router))
                await asyncio.sleep(1 / RATE)
                after -= stopped.is_set()

    async def stop() -> None:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(container.stop)
        stopped.set()

    await asyncio.gather(stop(), *(send(router) for router in routers))
    return failed
