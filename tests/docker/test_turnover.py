"""Containers are replaced under load: nobody notices."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from docker import DockerClient

from tests.conftest import unavailable
from tests.support.docker.compose import BINARY, Compose
from tests.support.docker.load import Load, Sample
from tests.support.docker.routes import backend, routed, wait_for_status
from tests.support.eventually import ask, eventually
from tests.support.router_process import RouterProcess

pytestmark = pytest.mark.slow

FINISHES = {"STOP_MS": "300"}
"""Application A: closes its listener at SIGTERM, finishes what it has, and ends."""
ENDS_AT_ONCE = {"STOP_MS": "0"}
"""Application B: ends at SIGTERM, whatever it is doing."""
LOGGED = {
    "edgerouter.turnover.hold": "10s",
    "accesslog": "true",
    "accesslog.format": "json",
    "accesslog.filters.statuscodes": "400-599",
}
WORK = "/?bytes=0&wait_ms=10"


@pytest.fixture
def compose(docker_host: str, whoami_image: str, run_id: str, tmp_path: Path) -> Iterator[Compose]:
    if not BINARY.exists():
        unavailable(FileNotFoundError("docker compose; run scripts/test-deps.sh"))
    project = Compose(tmp_path, docker_host, f"er-{run_id}-turnover", run_id)
    yield project
    project.down()


@contextmanager
def loads(router: RouterProcess, methods: str, rate: float = 25) -> Iterator[list[Load]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Load(router.ports["web"], "app.test", WORK, method=method, rate=rate)
            )
            for method in methods.split()
        ]


def recreate(compose: Compose, running: list[Load]) -> None:
    """Replace all containers, and wait until each load has had an answer since."""
    compose.up("--force-recreate")
    now = time.monotonic()
    eventually(
        lambda: min(load.samples[-1].sent for load in running if load.samples),
        lambda sent: sent > now,
    )


def failures(running: list[Load]) -> list[Sample]:
    return [sample for load in running for sample in load.failures]


def said(router: RouterProcess) -> str:
    """Return why requests failed."""
    lines = [json.loads(line) for line in router.log.read_text().splitlines() if line[0] == "{"]
    keys = ("RequestMethod", "DownstreamStatus", "StartUTC", "Duration", "ServiceURL", "error")
    return "\n".join(str([line.get(key) for key in keys]) for line in lines[-8:])


@pytest.mark.timeout(180)
def test_recreation_of_the_only_container(
    router_with: Callable[..., RouterProcess], compose: Compose
) -> None:
    """Twenty times; the application finishes its work."""
    compose.write("app", routed("app"), environment=FINISHES)
    compose.up()
    with router_with(LOGGED) as router:
        wait_for_status(router, "app", 200)
        with loads(router, "GET POST") as running:
            for _ in range(20):
                recreate(compose, running)
        assert failures(running) == [], said(router)
        assert len({sample.backend for load in running for sample in load.samples}) >= 20


@pytest.mark.timeout(180)
def test_recreation_of_a_container_that_ends_at_once(
    router_with: Callable[..., RouterProcess], compose: Compose
) -> None:
    """Requests that change nothing are sent again; what was sent with POST cannot be saved."""
    compose.write("app", routed("app"), environment=ENDS_AT_ONCE)
    compose.up()
    with router_with(LOGGED) as router:
        wait_for_status(router, "app", 200)
        with loads(router, "GET") as running:
            for _ in range(20):
                recreate(compose, running)
        assert failures(running) == [], said(router)


@pytest.mark.timeout(180)
def test_recreation_of_a_container_that_has_to_be_killed(
    router_with: Callable[..., RouterProcess], compose: Compose
) -> None:
    """It serves until then: the stop time-out is longer than requests are held."""
    # Process 1 takes no notice of a signal it has no handler for.
    compose.write("app", routed("app"), stop_signal="SIGUSR1", stop_grace_period="8s")
    compose.up()
    with router_with(LOGGED | {"edgerouter.turnover.hold": "5s"}) as router:
        wait_for_status(router, "app", 200)
        with loads(router, "GET") as running:
            for _ in range(2):
                recreate(compose, running)
        assert failures(running) == [], said(router)
        assert max(sample.took for load in running for sample in load.samples) < 5


@pytest.mark.timeout(120)
@pytest.mark.parametrize("replicas", [2, 3])
def test_rolling_update(
    router_with: Callable[..., RouterProcess], compose: Compose, replicas: int
) -> None:
    compose.write("app", routed("app"), environment=FINISHES, replicas=replicas)
    compose.up()
    with router_with(LOGGED) as router:
        wait_for_status(router, "app", 200)
        with loads(router, "GET POST") as running:
            for _ in range(3):
                recreate(compose, running)
        assert failures(running) == [], said(router)


@pytest.mark.timeout(60)
def test_sticky_clients_find_their_replica_again(
    router_with: Callable[..., RouterProcess], compose: Compose, docker_client: DockerClient
) -> None:
    cookie = {
        "traefik.http.services.app.loadbalancer.sticky.cookie.name": "stay",
        "edgerouter.http.services.app.loadbalancer.sticky.cookie.replica": "true",
    }
    compose.write("app", routed("app", **cookie), environment=FINISHES, replicas=3)
    compose.up()
    with router_with(LOGGED) as router:
        wait_for_status(router, "app", 200)
        cookies: dict[str, str] = {}
        eventually(
            lambda: cookies.update(_number_and_cookie(router, docker_client)) or len(cookies),
            lambda count: count == 3,
        )
        compose.up("--force-recreate")
        for number, value in cookies.items():
            found = eventually(
                lambda value=value: _number_and_cookie(router, docker_client, value),
                lambda found, number=number: number in found,
            )
            assert found == {number: ""}, "no new cookie"


def _number_and_cookie(
    router: RouterProcess, client: DockerClient, cookie: str = ""
) -> dict[str, str]:
    """Ask; return the number of the container that answers and the cookie it gives."""
    answer = ask(router.ports["web"], host="app.test", headers={"Cookie": cookie})
    labels = client.containers.get(backend(answer)).labels
    given = answer.headers.get("set-cookie", "").partition(";")[0]
    return {labels["com.docker.compose.container-number"]: given}
