"""The fixtures that the other tests stand on do what they promise."""

import urllib.request
from collections.abc import Callable

import pytest
from docker import DockerClient
from docker.models.containers import Container

from tests.support.docker.engine import Fleet, container_ip


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.read(), "utf-8")


def test_container_answers_on_each_network(fleet: Fleet) -> None:
    first, second = fleet.network("one"), fleet.network("two")
    container = fleet.run_container(
        network=first, networks=[second], environment={"WHOAMI_NAME": "both"}
    )
    addresses = [container_ip(container, network) for network in (first, second)]
    assert len(set(addresses)) == 2
    for address in addresses:
        assert "Name: both" in get(f"http://{address}/")


def test_health_check_reports_healthy(
    run_container: Callable[..., Container], docker_client: DockerClient
) -> None:
    container = run_container(health=True, start=False)
    with_container = {"container": container.id, "event": "health_status"}
    events = docker_client.events(filters=with_container, decode=True)
    container.start()
    assert next(events)["status"] == "health_status: healthy"
    events.close()


@pytest.mark.timeout(90)
def test_containers_outlive_a_restart_of_the_engine(
    run_container: Callable[..., Container], restart_daemon: Callable[..., None]
) -> None:
    container = run_container()
    address = container_ip(container)
    restart_daemon()
    assert container_ip(container) == address
    assert "Hostname" in get(f"http://{address}/")
