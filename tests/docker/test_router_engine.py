"""The engine goes away and comes back: routes stay, and what happened meanwhile is seen."""

import os
import signal
from collections.abc import Callable

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.support.docker.engine import Engine
from tests.support.docker.load import Load
from tests.support.docker.routes import (
    request,
    routed,
    short_id,
    wait_for_backends,
    wait_for_status,
)
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_engine_restarts(
    router_with: Callable[..., RouterProcess],
    run_container: Run,
    network: Callable[..., Network],
    docker_engine: Engine,
    restart_daemon: Callable[..., None],
    kill: bool,
) -> None:
    del restart_daemon  # Skips on an engine that is not ours, and sees that it runs afterwards.
    with router_with() as router:
        stays = run_container(labels=routed("stays"))
        dies = run_container(labels=routed("dies"))
        wait_for_backends(router, "stays", {short_id(stays)})
        wait_for_backends(router, "dies", {short_id(dies)})
        with Load(router.ports["web"], "stays.test") as load:
            docker_engine.stop(kill=kill)
            before = len(load.samples)
            eventually(router.log.read_text, lambda log: "Docker is out of sight" in log)
            said = router.get("/api/overview")["edgerouter"]["providers"]["docker"]
            assert said["status"] == "reconnecting"
            assert said["error"]
            os.kill(dies.attrs["State"]["Pid"], signal.SIGKILL)
            eventually(lambda: len(load.samples), lambda count: count > before + 100)
            assert request(router, "stays").status == 200
            docker_engine.start()
            # Docker 20.10 forgets after a clean restart which addresses of a network it has given
            # to containers that live on, and would give that of `stays` once more.
            late = run_container(labels=routed("late"), network=network())
            wait_for_backends(router, "late", {short_id(late)}, within=30)
            wait_for_status(router, "dies", 404)
        assert load.failures == []
        (docker,) = [p for p in router.get("/api/edgerouter/providers") if p["name"] == "docker"]
        assert (docker["status"], docker["error"]) == ("running", "")
