"""Newer engines than the system's: the API version is agreed on, events and networks are read."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import unavailable
from tests.support.docker.engine import (
    RUN_LABEL,
    WHOAMI_IMAGE,
    EngineUnavailable,
    Fleet,
    container_ip,
    run_script,
    sweep,
)
from tests.support.docker.routes import routed, short_id, wait_for_backends, wait_for_status
from tests.support.docker.versions import Version, VersionedEngine
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240), pytest.mark.slow]

VERSIONS = [Version(26, "trixie"), Version(28, "sid")]


@pytest.fixture(params=VERSIONS, ids=lambda version: str(version.major))
def engine(request: pytest.FixtureRequest) -> Iterator[VersionedEngine]:
    running = VersionedEngine(request.param)
    try:
        running.start()
        run_script("whoami-image.sh", WHOAMI_IMAGE, host=running.version.host)
    except EngineUnavailable as error:
        unavailable(f"version {running.version.major}: {error}")
    try:
        yield running
    finally:
        running.stop()


def test_containers_become_routes(engine: VersionedEngine, run_id: str, tmp_path: Path) -> None:
    client = docker.DockerClient(base_url=engine.version.host, version="auto")
    fleet = Fleet(client, run_id)
    assert client.version()["Version"].startswith(f"{engine.version.major}.")
    flags = {
        "providers.docker": "true",
        "providers.docker.endpoint": engine.version.host,
        "providers.docker.constraints": f"Label(`{RUN_LABEL}`,`{run_id}`)",
        "edgerouter.workers": "1",
    }
    try:
        with engine.entered(), edgerouter(tmp_path, ["web"], flags, {}) as router:
            first = fleet.run_container(labels=routed("first"))
            wait_for_backends(router, "first", {short_id(first)})

            front, back = fleet.network("front"), fleet.network("back", internal=True)
            labels = routed("second", **{"traefik.docker.network": str(front.name)})
            second = fleet.run_container(network=back, networks=[front], labels=labels)
            wait_for_backends(router, "second", {short_id(second)})
            assert server_url(router, "second") == f"http://{container_ip(second, front)}:80"
            front.disconnect(second)
            left = f"http://{container_ip(second, back)}:80"
            eventually(lambda: server_url(router, "second"), lambda url: url == left)
            front.connect(second)
            chosen = f"http://{container_ip(second, front)}:80"
            eventually(lambda: server_url(router, "second"), lambda url: url == chosen)
            wait_for_backends(router, "second", {short_id(second)})

            first.stop(timeout=1)
            wait_for_status(router, "first", 404)
            (provider,) = [
                found
                for found in router.get("/api/edgerouter/providers")
                if found["name"] == "docker"
            ]
            assert (provider["status"], provider["error"]) == ("running", "")
    finally:
        fleet.close()
        sweep(client, run_id)
        client.close()


def server_url(router: RouterProcess, name: str) -> str:
    """Return the URL of the only server of a service."""
    services = router.get("/api/http/services")
    (service,) = [found for found in services if found["name"] == f"{name}@docker"]
    (server,) = service["loadBalancer"]["servers"]
    return str(server["url"])
