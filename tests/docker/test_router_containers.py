"""What happens to one container is what a client sees through the router."""

import http.client
import threading
from collections.abc import Callable
from typing import Any

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.support.docker.engine import RUN_LABEL, container_ip
from tests.support.docker.routes import (
    backend,
    request,
    routed,
    short_id,
    url,
    wait_for_backends,
    wait_for_status,
)
from tests.support.eventually import ask, eventually
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]


def test_started_is_routable_and_stopped_is_gone(
    quick_router: RouterProcess, run_container: Run
) -> None:
    assert request(quick_router, "life").status == 404
    api = run_container(labels=routed("life"))
    (answer, *_) = wait_for_backends(quick_router, "life", {short_id(api)})
    assert "Host: life.test" in answer.text
    api.stop(timeout=2)
    wait_for_status(quick_router, "life", 404)
    api.start()
    wait_for_backends(quick_router, "life", {short_id(api)})
    api.remove(force=True)
    wait_for_status(quick_router, "life", 404)


def test_between_the_stop_signal_and_the_end_there_is_no_server(
    quick_router: RouterProcess, run_container: Run
) -> None:
    """The route is known, its only server takes nothing new: 503; a request in flight finishes."""
    api = run_container(labels=routed("ending"), environment={"STOP_MS": "2000"})
    wait_for_status(quick_router, "ending", 200)
    slow: list[int] = []
    in_flight = threading.Thread(
        target=lambda: slow.append(request(quick_router, "ending", "/?wait_ms=1000").status)
    )
    in_flight.start()
    stopping = threading.Thread(target=lambda: api.stop(timeout=10))
    stopping.start()
    wait_for_status(quick_router, "ending", 503)
    assert stopping.is_alive()
    in_flight.join()
    assert slow == [200]
    stopping.join()
    wait_for_status(quick_router, "ending", 404)


def test_killed(quick_router: RouterProcess, run_container: Run) -> None:
    api = run_container(labels=routed("killed"))
    wait_for_status(quick_router, "killed", 200)
    api.kill("SIGKILL")
    wait_for_status(quick_router, "killed", 404)


def test_renamed(quick_router: RouterProcess, run_container: Run, run_id: str) -> None:
    """Without labels the route has the container's name; with labels the name does not matter."""
    plain = run_container(name="before", ports={"80/tcp": ("127.0.0.1", None)})
    named = run_container(labels=routed("named"))

    def status(name: str) -> int:
        return ask(quick_router.ports["web"], host=f"er-{run_id}-{name}").status

    eventually(lambda: status("before"), lambda found: found == 200)
    wait_for_status(quick_router, "named", 200)
    plain.rename(f"er-{run_id}-after")
    named.rename(f"er-{run_id}-other")
    eventually(lambda: (status("before"), status("after")), lambda found: found == (404, 200))
    wait_for_backends(quick_router, "named", {short_id(named)})


def test_health(quick_router: RouterProcess, run_container: Run) -> None:
    api = run_container(labels=routed("health"), health=True)
    wait_for_status(quick_router, "health", 200)
    _say_health(api, 500)
    answers = wait_for_status(quick_router, "health", 503)
    assert answers[0].headers["retry-after"]
    _say_health(api, 200)
    wait_for_status(quick_router, "health", 200)


def _say_health(container: Container, status: int) -> None:
    connection = http.client.HTTPConnection(container_ip(container), timeout=5)
    connection.request("POST", "/health", body=str(status))
    connection.getresponse().read()
    connection.close()


def test_unhealthy_loses_its_route_when_told_so(
    router_with: Callable[..., RouterProcess], run_container: Run
) -> None:
    with router_with({"providers.docker.allowEmptyServices": "false"}) as router:
        run_container(labels=routed("empty"), health={"test": ["CMD", "/nothing"]})
        served = run_container(labels=routed("served"))
        wait_for_backends(router, "served", {short_id(served)})
        assert request(router, "empty").status == 404


def test_second_network_and_the_rule_that_chose_it(
    quick_router: RouterProcess, run_container: Run, network: Callable[..., Network]
) -> None:
    front, back = network("front"), network("back")
    assert front.name is not None
    labels = routed("nets", **{"traefik.docker.network": front.name})
    api = run_container(labels=labels, network=back)
    wait_for_status(quick_router, "nets", 200)
    service = _service(quick_router, "nets")
    assert [s["url"] for s in service["loadBalancer"]["servers"]] == [url(api, back.name)]
    front.connect(api)
    eventually(
        lambda: [s["url"] for s in _service(quick_router, "nets")["loadBalancer"]["servers"]],
        lambda urls: urls == [url(api, front.name)],
    )
    wait_for_backends(quick_router, "nets", {short_id(api)})
    notes = _service(quick_router, "nets")["edgerouter"]["notes"]
    assert notes["network"].startswith(front.name)
    assert "docker.network" in notes["network"]
    assert notes["port"].startswith("80")
    assert "label" in notes["port"]


def test_notes_are_in_the_list_of_services(quick_router: RouterProcess, run_container: Run) -> None:
    run_container(labels={"traefik.http.routers.noted.rule": "Host(`noted.test`)"})
    wait_for_status(quick_router, "noted", 200)
    service = _routers_service(quick_router, "noted")
    (listed,) = [
        each
        for each in quick_router.get("/api/http/services?per_page=1000")
        if each["name"] == service
    ]
    assert listed["edgerouter"]["notes"]["port"] == "80: the only exposed TCP port"
    assert listed["edgerouter"]["notes"]["network"].startswith("bridge")


def _routers_service(router: RouterProcess, name: str) -> str:
    service = str(router.get(f"/api/http/routers/{name}@docker")["service"])
    return service if "@" in service else f"{service}@docker"


def _service(router: RouterProcess, name: str) -> dict[str, Any]:
    found: dict[str, Any] = router.get(f"/api/http/services/{name}@docker")
    return found


def test_paused(quick_router: RouterProcess, run_container: Run) -> None:
    api = run_container(labels=routed("paused"))
    other = run_container(labels=routed("paused"))
    wait_for_backends(quick_router, "paused", {short_id(api), short_id(other)})
    api.pause()
    wait_for_backends(quick_router, "paused", {short_id(other)})
    api.unpause()
    wait_for_backends(quick_router, "paused", {short_id(api), short_id(other)})


def test_testcontainers(
    quick_router: RouterProcess,
    whoami_image: str,
    docker_host: str,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Containers of a user's own test suite are containers like any other."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network as TestNetwork

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    labels = {**routed("suite"), RUN_LABEL: run_id}
    with TestNetwork() as net:
        container = (
            DockerContainer(whoami_image)
            .with_network(net)
            .with_env("WHOAMI_NAME", "suite")
            .with_kwargs(labels=labels)
        )
        with container:
            (answer, *_) = wait_for_status(quick_router, "suite", 200)
            assert "Name: suite" in answer.text
            assert backend(answer) == short_id(container.get_wrapped_container())
            service = _service(quick_router, "suite")
            assert str(service["edgerouter"]["notes"]["network"]).startswith(net.name)
        wait_for_status(quick_router, "suite", 404)
