"""The Docker provider against a real engine."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from edgerouter_docker import DockerProvider
from edgerouter_docker.engine import Engine
from edgerouter_docker.inventory import says_the_same
from edgerouter_docker.options import Options
from tests.support.docker.engine import Fleet, container_ip
from tests.support.recording_context import RecordingContext, running

PORT_8081 = {"WHOAMI_PORT_NUMBER": "8081"}
PORT_65001 = {"WHOAMI_PORT_NUMBER": "65001"}
MINE = "LabelRegex(`er.test.run`, `^{run}$`)"


@pytest.fixture
def options(docker_host: str, run_id: str) -> Callable[..., Options]:
    """Options that see the containers of this run only."""

    def make(**changes: Any) -> Options:
        values = {"endpoint": docker_host, "constraints": MINE.format(run=run_id), **changes}
        return Options.model_validate(values)

    return make


@pytest.fixture
async def context(options: Callable[..., Options]) -> AsyncIterator[RecordingContext]:
    async with running(DockerProvider("docker", options())) as context:
        await context.until(lambda c: c.publications)
        yield context


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(function, *args, **kwargs)


def routed(name: str, **labels: str) -> dict[str, str]:
    """Labels of a router and a service called ``name``."""
    return {
        "traefik.enable": "true",
        f"traefik.http.routers.{name}.rule": f"Host(`{name}.test`)",
        f"traefik.http.services.{name}.loadbalancer.server.port": "80",
        **labels,
    }


def url(container: Container, network: Network | None = None, port: int = 80) -> str:
    return f"http://{container_ip(container, network)}:{port}"


async def test_container_comes_and_goes(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"))
    said = await context.until(lambda c: c.newest.servers("api"))
    assert said.rules["api"] == "Host(`api.test`)"
    assert said.servers("api") == [url(api)]
    assert said.configuration.http.routers["api"].service == "api"
    assert said.configuration.sources["http.routers.api"] == f"container {api.name}"
    await in_thread(api.stop, timeout=2)
    said = await context.until(lambda c: "api" not in c.newest.rules)
    assert said.servers("api") == []
    await in_thread(api.start)
    await context.until(lambda c: c.newest.servers("api") == [url(api)] and not c.fenced)


async def test_labels_left_to_the_rules(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web_site"}
    container = await in_thread(run_container, labels=labels)
    said = await context.until(lambda c: "web-site-shop" in c.newest.rules)
    assert said.rules["web-site-shop"] == "Host(`web-site-shop`)"
    assert said.servers("web-site-shop") == [url(container)]
    notes = said.configuration.notes["http.services.web-site-shop"]
    assert notes["port"] == "80: the only exposed TCP port"


async def test_kill_fences_before_the_container_has_died(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    """The stop signal is the first thing that is heard of a container that goes."""
    api = await in_thread(run_container, labels=routed("api"), environment={"STOP_MS": "1500"})
    address = url(api)
    await context.until(lambda c: c.newest.servers("api"))
    stopping = asyncio.create_task(in_thread(api.stop, timeout=10))
    await context.until(lambda c: address in c.fenced)
    assert not stopping.done()
    assert context.newest.servers("api") == [address]
    await stopping
    await context.until(lambda c: not c.newest.servers("api"))
    assert address in context.fenced


async def test_own_stop_signal_fences(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"), stop_signal="SIGUSR1")
    await context.until(lambda c: c.newest.servers("api"))
    await in_thread(api.kill, signal="SIGUSR1")
    await context.until(lambda c: url(api) in c.fenced)


async def test_signal_that_does_not_end_it_fences_nothing(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"))
    await context.until(lambda c: c.newest.servers("api"))
    await in_thread(api.kill, signal="SIGWINCH")
    # A later event proves that the one before has been handled.
    await in_thread(api.rename, f"{api.name}-new")
    await context.until(lambda c: "-new" in c.newest.configuration.sources["http.routers.api"])
    assert context.fences == []


async def test_dead_container_is_fenced_until_it_runs_again(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"))
    address = url(api)
    await context.until(lambda c: c.newest.servers("api"))
    await in_thread(api.kill)
    await context.until(lambda c: address in c.fenced and not c.newest.servers("api"))
    await in_thread(api.start)
    await context.until(lambda c: c.newest.servers("api") == [url(api)] and not c.fenced)


async def test_paused_container_is_no_server(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"))
    address = url(api)
    await context.until(lambda c: c.newest.servers("api"))
    await in_thread(api.pause)
    await context.until(lambda c: not c.newest.servers("api") and address in c.fenced)
    await in_thread(api.unpause)
    await context.until(lambda c: c.newest.servers("api") == [address] and not c.fenced)


async def test_health_decides(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    api = await in_thread(run_container, labels=routed("api"), health=True)
    said = await context.until(lambda c: c.publications and "starting" in c.newest.texts())
    assert "api" not in said.rules
    assert f"container {api.name}" in said.texts()
    said = await context.until(lambda c: c.newest.servers("api") == [url(api)])
    assert "health check" not in said.texts()
    await in_thread(_set_health, api, 500)
    said = await context.until(lambda c: "api" not in c.newest.rules)
    assert "its health check says unhealthy" in said.texts()
    await in_thread(_set_health, api, 200)
    await context.until(lambda c: c.newest.servers("api"))


def _set_health(container: Container, status: int) -> None:
    import urllib.request

    request = urllib.request.Request(f"{url(container)}/health", data=str(status).encode())
    with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):
        pass


async def test_allow_empty_services_keeps_the_route(
    options: Callable[..., Options], run_container: Callable[..., Container]
) -> None:
    await in_thread(run_container, labels=routed("api"), health={"test": ["CMD", "/nothing"]})
    provider = DockerProvider("docker", options(allowEmptyServices=True))
    async with running(provider) as context:
        said = await context.until(lambda c: "api" in c.newest.rules)
        assert said.servers("api") == []


async def test_allow_non_running_keeps_the_route(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    labels = routed("api", **{"traefik.docker.allownonrunning": "true"})
    api = await in_thread(run_container, labels=labels, start=False)
    await context.until(lambda c: True)
    await in_thread(api.start)
    await context.until(lambda c: c.newest.servers("api") == [url(api)])
    await in_thread(api.stop, timeout=2)
    said = await context.until(lambda c: not c.newest.servers("api"))
    assert said.rules["api"] == "Host(`api.test`)"
    assert "http.services.api" not in said.configuration.errors


async def test_replicas_become_one_service(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    first = await in_thread(run_container, labels=routed("api"))
    second = await in_thread(run_container, labels=routed("api"))
    both = {url(first), url(second)}
    said = await context.until(lambda c: set(c.newest.servers("api")) == both)
    assert said.texts() == ""
    await in_thread(first.remove, force=True)
    await context.until(lambda c: c.newest.servers("api") == [url(second)])


async def test_contradiction_keeps_the_older(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    older = await in_thread(run_container, labels=routed("api"))
    await context.until(lambda c: c.newest.servers("api"))
    other = {**routed("api"), "traefik.http.routers.api.rule": "Host(`other.test`)"}
    newer = await in_thread(run_container, labels=other)
    said = await context.until(lambda c: c.newest.texts())
    assert said.rules["api"] == "Host(`api.test`)"
    assert older.name in said.texts()
    assert newer.name in said.texts()


async def test_rename_moves_the_automatic_route(
    context: RecordingContext, run_container: Callable[..., Container], run_id: str
) -> None:
    api = await in_thread(run_container, name="before")
    await context.until(lambda c: f"er-{run_id}-before" in c.newest.rules)
    await in_thread(api.rename, f"er-{run_id}-after")
    said = await context.until(lambda c: f"er-{run_id}-after" in c.newest.rules)
    assert f"er-{run_id}-before" not in said.rules


async def test_second_network_connected_later(
    context: RecordingContext,
    run_container: Callable[..., Container],
    network: Callable[..., Network],
) -> None:
    front, back = await in_thread(network, name="front"), await in_thread(network, name="back")
    labels = routed("api", **{"traefik.docker.network": front.name})
    api = await in_thread(run_container, labels=labels, network=back)
    said = await context.until(lambda c: c.newest.servers("api"))
    assert said.servers("api") == [url(api, back)]
    assert f'the network "{front.name}" of the docker.network label' in said.texts()
    await in_thread(front.connect, api)
    said = await context.until(lambda c: c.newest.servers("api") == [url(api, front)])
    assert said.texts() == ""
    assert said.configuration.notes["http.services.api"]["network"].startswith(front.name)
    await in_thread(front.disconnect, api)
    await context.until(lambda c: c.newest.servers("api") == [url(api, back)])


async def test_provider_network(
    options: Callable[..., Options],
    run_container: Callable[..., Container],
    network: Callable[..., Network],
) -> None:
    a, z = await in_thread(network, name="a"), await in_thread(network, name="z")
    api = await in_thread(run_container, labels=routed("api"), network=a, networks=[z])
    async with running(DockerProvider("docker", options(network=z.name))) as context:
        said = await context.until(lambda c: c.newest.servers("api"))
        assert said.servers("api") == [url(api, z)]


async def test_network_of_another_container(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    side = await in_thread(run_container, labels={"traefik.enable": "false"})
    labels = routed("api", **{"traefik.http.services.api.loadbalancer.server.port": "8081"})
    options = {"network_mode": f"container:{side.id}", "environment": PORT_8081}
    await in_thread(run_container, labels=labels, **options)
    said = await context.until(lambda c: c.newest.servers("api"))
    assert said.servers("api") == [url(side, port=8081)]
    assert side.name in said.configuration.notes["http.services.api"]["network"]


async def test_host_network(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    labels = routed("api", **{"traefik.http.services.api.loadbalancer.server.port": "65001"})
    await in_thread(run_container, labels=labels, network_mode="host", environment=PORT_65001)
    said = await context.until(lambda c: c.newest.servers("api"))
    assert said.servers("api") == ["http://127.0.0.1:65001"]


async def test_published_address(
    options: Callable[..., Options], run_container: Callable[..., Container]
) -> None:
    api = await in_thread(
        run_container, labels=routed("api"), ports={"80/tcp": ("127.0.0.1", None)}
    )
    binding = api.attrs["NetworkSettings"]["Ports"]["80/tcp"][0]
    async with running(DockerProvider("docker", options(useBindPortIP=True))) as context:
        said = await context.until(lambda c: c.newest.servers("api"))
        assert said.servers("api") == [f"http://127.0.0.1:{binding['HostPort']}"]


async def test_bad_labels_disable_their_element_only(
    context: RecordingContext, run_container: Callable[..., Container]
) -> None:
    labels = {
        **routed("good"),
        "traefik.http.routers.bad.rul": "Host(`bad.test`)",
        "traefik.http.routers.bad.service": "good",
    }
    container = await in_thread(run_container, labels=labels)
    said = await context.until(lambda c: "good" in c.newest.rules)
    assert "bad" not in said.rules
    assert said.servers("good") == [url(container)]
    assert f"container {container.name}, traefik.http.routers.bad.rul" in said.texts()
    assert 'did you mean "rule"' in said.texts()


async def test_watch_off_looks_once(
    options: Callable[..., Options], run_container: Callable[..., Container]
) -> None:
    await in_thread(run_container, labels=routed("api"))
    context = RecordingContext()
    await DockerProvider("docker", options(watch=False)).run(context)
    assert len(context.publications) == 1
    assert context.newest.servers("api")


async def test_list_and_inspection_agree(options: Callable[..., Options], fleet: Fleet) -> None:
    """Else every reconciliation would inspect containers that did not change."""
    await in_thread(_one_of_each, fleet)
    engine = Engine(options())
    await in_thread(engine.connect)
    try:
        rows = await in_thread(engine.list)
        assert len(rows) >= 8
        for row in rows:
            container = await in_thread(engine.inspect, row.id)
            if container is not None:  # Not another test's that has just gone.
                assert says_the_same(row, container), (row, container)
    finally:
        await in_thread(engine.close)


def _one_of_each(fleet: Fleet) -> None:
    front, back = fleet.network(), fleet.network()
    fleet.run_container(network=front, networks=[back])
    fleet.run_container(network_mode="none")
    fleet.run_container(network_mode="host", environment=PORT_65001)
    other = fleet.run_container(health={"test": ["CMD", "/whoami", "-check"], "interval": 10**11})
    fleet.run_container(network_mode=f"container:{other.id}", environment=PORT_8081)
    fleet.run_container(start=False)
    fleet.run_container().kill()
    fleet.run_container().pause()


async def test_ssh(
    options: Callable[..., Options],
    run_container: Callable[..., Container],
    docker_host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The far side of ``ssh://`` is the docker command; here it is reached without the way."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nexec docker -H {docker_host} system dial-stdio\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    api = await in_thread(run_container, labels=routed("api"))
    async with running(DockerProvider("docker", options(endpoint="ssh://far"))) as context:
        await context.until(lambda c: c.newest.servers("api"))
        await in_thread(api.kill)
        await context.until(lambda c: not c.newest.servers("api"))


async def test_clean_end(options: Callable[..., Options]) -> None:
    """After cancellation no thread and no socket is left."""
    before = set(threading.enumerate())
    async with running(DockerProvider("docker", options())) as context:
        await context.until(lambda c: c.publications)
        assert any(thread.name == "docker-events" for thread in threading.enumerate())
    names = [t.name for t in threading.enumerate() if t not in before and "docker" in t.name]
    assert names == []


async def test_engine_restarts(
    context: RecordingContext,
    run_container: Callable[..., Container],
    restart_daemon: Callable[..., None],
) -> None:
    """Nothing is published while blind; a change after the restart is seen."""
    await in_thread(run_container, labels=routed("api"))
    said = await context.until(lambda c: c.newest.servers("api"))
    count = len(context.publications)
    await in_thread(restart_daemon)
    await in_thread(run_container, labels=routed("late"))
    await context.until(lambda c: c.newest.servers("late") and c.newest.servers("api"), timeout=20)
    assert all(p.servers("api") for p in context.publications[count:])
    assert said.servers("api")


@pytest.mark.slow
async def test_churn_ends_in_the_truth(context: RecordingContext, fleet: Fleet) -> None:
    """Fifty containers start and stop at once: what is published last is what runs."""
    began = time.monotonic()
    containers = await in_thread(_churn, fleet, 50)
    expected = {f"c{number}" for number in range(50) if number % 3}
    said = await context.until(
        lambda c: {n for n in c.newest.rules if n.startswith("c")} == expected, timeout=40
    )
    for number in sorted(expected):
        container = containers[int(number.removeprefix("c"))]
        assert said.servers(number) == [url(container)]
    print(f"{len(context.publications)} publications in {time.monotonic() - began:.1f} s")


def _churn(fleet: Fleet, count: int) -> list[Container]:
    containers: list[Any] = [None] * count

    def run(numbers: Iterable[int]) -> None:
        for number in numbers:
            container = fleet.run_container(labels=routed(f"c{number}"))
            containers[number] = container
            if number % 3 == 0:
                container.kill()

    threads = [threading.Thread(target=run, args=(range(i, count, 4),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return containers


async def test_time_from_event_to_publication(
    context: RecordingContext, docker_client: docker.DockerClient, run_container: Callable[..., Any]
) -> None:
    """From the engine's own time stamp of ``start`` to the publication: well under a second."""
    since = int(time.time())
    published: dict[str, float] = {}
    for number in range(5):
        name = f"timed{number}"
        container = await in_thread(run_container, labels=routed(name))
        said = await context.until(lambda c, name=name: c.newest.servers(name))
        published[container.id] = time.time() - (time.monotonic() - said.at)
    events = docker_client.events(
        since=since, until=int(time.time()) + 1, decode=True, filters={"event": "start"}
    )
    started = {event["id"]: event["timeNano"] / 1e9 for event in events}
    delays = [at - started[container_id] for container_id, at in published.items()]
    print("event to publication (ms):", [round(delay * 1000, 1) for delay in delays])
    assert sorted(delays)[2] < 0.5
