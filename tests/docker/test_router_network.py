"""A router in a container, from the image: it takes the network that it shares with a server."""

from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.support.docker.engine import RUN_LABEL, Fleet, container_ip
from tests.support.docker.routes import backend, routed, short_id
from tests.support.eventually import Answer, ask, eventually

pytestmark = pytest.mark.timeout(600)  # The first test builds the image, and so compiles.


def run_router(
    fleet: Fleet, image: str, docker_host: str, run_id: str, **options: object
) -> Container:
    socket = Path(docker_host.removeprefix("unix://"))
    return fleet.run_container(
        image,
        name="router",
        command=[
            "--providers.docker=true",
            f"--providers.docker.constraints=Label(`{RUN_LABEL}`,`{run_id}`)",
            "--providers.docker.exposedbydefault=false",
            "--entrypoints.web.address=:80",
        ],
        volumes={str(socket): {"bind": "/var/run/docker.sock", "mode": "ro"}},
        **options,
    )


def test_the_shared_network_is_taken(
    fleet: Fleet, product_image: str, docker_host: str, run_id: str
) -> None:
    # The names would put the other two first.
    hidden, shared, later = fleet.network("a"), fleet.network("m"), fleet.network("b")
    router = run_router(fleet, product_image, docker_host, run_id, network=shared)
    server = fleet.run_container(
        network=hidden,
        networks=[shared, later],
        labels={"traefik.enable": "true", **routed("api")},
    )
    address = container_ip(router, shared)

    def answer() -> Answer:
        return ask(80, host="api.test", address=address)

    found = eventually(answer, lambda answer: answer.status == 200)
    assert backend(found) == short_id(server)

    # The router moves: what it shares with the server is another network now.
    later.connect(router)
    shared.disconnect(server)
    address = container_ip(router, later)
    eventually(answer, lambda answer: answer.status == 200 and backend(answer) == short_id(server))
