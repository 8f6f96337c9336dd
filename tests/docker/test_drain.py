"""``edgerouter drain`` and ``undrain`` with a running router and real containers."""

import http.client
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.support.docker.routes import (
    backend,
    request,
    routed,
    short_id,
    wait_for_backends,
    wait_for_status,
)
from tests.support.eventually import Answer, ask, eventually
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]
Routers = Callable[..., RouterProcess]


@pytest.fixture
def runtime(tmp_path: Path) -> str:
    return str(tmp_path / "runtime")


def order(runtime: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgerouter", *arguments, f"--edgerouter.runtimeDir={runtime}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_drain_and_undrain(router_with: Routers, run_container: Run, runtime: str) -> None:
    sticky = {"traefik.http.services.web.loadbalancer.sticky.cookie.name": "stay"}
    one, two = (run_container(labels=routed("web", **sticky)) for _ in range(2))
    with router_with({"edgerouter.runtimeDir": runtime}) as router:
        wait_for_backends(router, "web", {short_id(one), short_id(two)})
        cookie = _cookie_of(router, one)
        upload = _begin_upload(router, cookie)
        left = order(runtime, "drain", str(one.name), "--timeout=0")
        assert left.returncode == 1
        assert "but 1 are still under way after 0 s" in left.stderr
        upload.send(b"half")
        answer = upload.getresponse()
        assert (answer.status, answer.getheader("X-Backend")) == (200, short_id(one)), "it finishes"
        upload.close()
        done = order(runtime, "drain", str(one.name))
        assert (done.returncode, done.stderr) == (0, "")
        assert backend(_stay(router, cookie)) == short_id(two), "sticky clients go elsewhere"
        wait_for_backends(router, "web", {short_id(two)})
        (docker,) = [p for p in router.get("/api/edgerouter/providers") if p["name"] == "docker"]
        assert docker["drained"] == [one.name]
        states = router.get("/api/http/services/web@docker")["serverStatus"].values()
        assert sorted(states) == ["DOWN", "UP"]
        assert order(runtime, "undrain", short_id(one)).returncode == 0
        wait_for_backends(router, "web", {short_id(one), short_id(two)})


def _cookie_of(router: RouterProcess, container: Container) -> str:
    answer = eventually(
        lambda: request(router, "web"), lambda found: backend(found) == short_id(container)
    )
    return answer.headers["set-cookie"].partition(";")[0]


def _begin_upload(router: RouterProcess, cookie: str) -> http.client.HTTPConnection:
    """Send a request but for the second half of its body."""
    connection = http.client.HTTPConnection("127.0.0.1", router.ports["web"], timeout=20)
    connection.putrequest("POST", "/", skip_host=True)
    for field in (("Host", "web.test"), ("Cookie", cookie), ("Content-Length", "8")):
        connection.putheader(*field)
    connection.endheaders(b"half")
    return connection


def _stay(router: RouterProcess, cookie: str) -> Answer:
    return ask(router.ports["web"], host="web.test", headers={"Cookie": cookie})


def test_a_start_ends_the_drain(router_with: Routers, run_container: Run, runtime: str) -> None:
    api = run_container(labels=routed("api"))
    with router_with({"edgerouter.runtimeDir": runtime}) as router:
        wait_for_status(router, "api", 200)
        assert order(runtime, "drain", str(api.name)).returncode == 0
        wait_for_status(router, "api", 503)
        api.restart(timeout=0)
        wait_for_status(router, "api", 200)


def test_what_cannot_be_drained(router_with: Routers, run_container: Run, runtime: str) -> None:
    assert "the router does not answer" in order(runtime, "drain", "web").stderr
    with router_with({"edgerouter.runtimeDir": runtime}) as router:
        wait_for_status(router, "x", 404)
        refused = order(runtime, "drain", "nobody")
        assert refused.returncode == 1
        assert "no running container is called nobody" in refused.stderr
    assert order(runtime, "drain").returncode == 2
