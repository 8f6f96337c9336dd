"""Containers that die, pause, hang, lose their network, refuse or come late, under load."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.support.docker.load import Load
from tests.support.docker.routes import (
    backend,
    request,
    routed,
    short_id,
    wait_for_backends,
    wait_for_status,
)
from tests.support.eventually import ask, eventually
from tests.support.recording_upstream import RecordingUpstream
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]
Routers = Callable[..., RouterProcess]
HOLD = {"edgerouter.turnover.hold": "10s"}
WORK = "/?bytes=0&wait_ms=10"
SLOW = "/?bytes=0&wait_ms=2000"
FINISHES = {"STOP_MS": "300"}


def load(router: RouterProcess, method: str = "GET") -> Load:
    return Load(router.ports["web"], "app.test", WORK, method=method, rate=25)


def two(router: RouterProcess, run: Run, **options: object) -> tuple[Container, Container]:
    options = {"labels": routed("app"), **options}
    one, other = run(**options), run(**options)
    wait_for_backends(router, "app", {short_id(one), short_id(other)})
    return one, other


def answered_since(running: Load) -> None:
    """Wait for one more answer on each kind of connection."""
    count = len(running.samples)
    eventually(lambda: len(running.samples), lambda found: found > count + 4)


@pytest.mark.parametrize("kill", ["SIGKILL", "SIGTERM"])
def test_one_of_two_is_killed(router_with: Routers, run_container: Run, kill: str) -> None:
    with router_with(HOLD) as router:
        one, other = two(router, run_container)
        with load(router) as running:
            one.kill(kill)
            wait_for_backends(router, "app", {short_id(other)})
        assert running.failures == []


def test_one_of_two_is_paused(router_with: Routers, run_container: Run) -> None:
    with router_with(HOLD) as router:
        one, other = two(router, run_container)
        with load(router) as running:
            one.pause()
            wait_for_backends(router, "app", {short_id(other)})
            one.unpause()
            wait_for_backends(router, "app", {short_id(one), short_id(other)})
        assert running.failures == []


def test_one_of_two_flaps(router_with: Routers, run_container: Run) -> None:
    with router_with(HOLD) as router:
        one, _ = two(router, run_container, environment=FINISHES)
        with load(router) as running, load(router, "POST") as posts:
            for _ in range(5):
                one.restart()
                answered_since(running)
        assert running.failures + posts.failures == []


def test_both_go_and_come_back(router_with: Routers, run_container: Run) -> None:
    with router_with(HOLD) as router:
        both = two(router, run_container, environment=FINISHES)
        with load(router) as running, load(router, "POST") as posts:
            for container in both:
                container.stop()
            for container in both:
                container.start()
            answered_since(running)
            answered_since(posts)
        assert running.failures + posts.failures == []
        wait_for_backends(router, "app", {short_id(each) for each in both})


def test_nothing_listens_in_one_of_two(router_with: Routers, run_container: Run) -> None:
    """Without the wait for its port it is asked, and refuses; nothing was sent."""
    with router_with(HOLD | {"edgerouter.turnover.portWait": "0s"}) as router:
        served = run_container(labels=routed("app"))
        wait_for_backends(router, "app", {short_id(served)})
        run_container(labels=routed("app"), environment={"WHOAMI_PORT_NUMBER": "81"})
        eventually(
            lambda: router.get("/api/http/services/app@docker")["loadBalancer"]["servers"],
            lambda servers: len(servers) == 2,
        )
        with load(router) as running, load(router, "POST") as posts:
            answered_since(running)
        assert running.failures + posts.failures == []
        assert {s.backend for s in running.samples} == {short_id(served)}


def test_a_container_is_asked_once_its_port_answers(
    router_with: Routers, run_container: Run
) -> None:
    with router_with(HOLD) as router:
        first = run_container(labels=routed("app"))
        wait_for_backends(router, "app", {short_id(first)})
        with load(router) as running, load(router, "POST") as posts:
            first.kill()
            late = run_container(labels=routed("app"), environment={"START_MS": "1500"})
            wait_for_backends(router, "app", {short_id(late)})
        assert [s for s in posts.samples + running.samples if s.status in (502, 503, 404)] == []


def test_a_port_that_stays_silent(router_with: Routers, run_container: Run) -> None:
    """It is taken at the end of the time, with a warning."""
    with router_with(HOLD | {"edgerouter.turnover.portWait": "1s"}) as router:
        wait_for_status(router, "app", 404)
        run_container(labels=routed("app"), environment={"WHOAMI_PORT_NUMBER": "81"})
        eventually(
            lambda: [d["message"] for d in router.get("/api/edgerouter/diagnostics")],
            lambda found: any("nothing listens on" in message for message in found),
        )


def test_a_network_is_lost(
    router_with: Routers, run_container: Run, network: Callable[..., Network]
) -> None:
    with router_with(HOLD) as router:
        net = network("lost")
        one, other = two(router, run_container, network=net)
        with ThreadPoolExecutor() as threads, load(router) as running:
            ask_slowly = partial(ask, router.ports["web"], SLOW, host="app.test", timeout=20)
            slow = [threads.submit(ask_slowly) for _ in range(4)]
            answered_since(running)
            net.disconnect(one)
            wait_for_backends(router, "app", {short_id(other)})
            # No end of a connection gets through; what it had is sent again once that is found out.
            assert [asked.result().status for asked in slow] == [200] * 4
            net.connect(one)
            wait_for_backends(router, "app", {short_id(one), short_id(other)})
        assert running.failures == []


def test_a_page_stands_in_while_there_is_no_container(
    router_with: Routers, run_container: Run
) -> None:
    """Before the first and behind the last, when nobody knows the service of the containers."""
    with RecordingUpstream() as page, router_with() as router:
        sorry = {"servers": [{"url": f"http://127.0.0.1:{page.port}"}]}
        services = {
            "front": {"failover": {"service": "app@docker", "fallback": "sorry"}},
            "sorry": {"loadBalancer": sorry},
        }
        routers = {"front": {"rule": "Host(`front.test`)", "service": "front"}}
        router.apply({"http": {"routers": routers, "services": services}})
        wait_for_backends(router, "front", {""})
        with Load(router.ports["web"], "front.test", WORK, rate=25) as running:
            app = run_container(labels=routed("app"), environment=FINISHES)
            wait_for_backends(router, "front", {short_id(app)})
            app.stop()
            wait_for_backends(router, "front", {""})
            eventually(
                lambda: str(router.get("/api/http/services/front@file").get("error")),
                lambda found: '"app@docker" does not exist' in found and "left out" in found,
            )
            answered_since(running)
        assert running.failures == []


RESTS = {
    "traefik.http.services.app.loadbalancer.passivehealthcheck.maxfailedattempts": "1",
    "traefik.http.services.app.loadbalancer.passivehealthcheck.failurewindow": "30s",
}
IN_TIME = {"serversTransport.forwardingTimeouts.responseHeaderTimeout": "300ms"}


def test_one_of_two_hangs(router_with: Routers, run_container: Run) -> None:
    """Its port is open and its process stands still: after one time-out it rests."""
    with router_with(HOLD | IN_TIME) as router:
        one, other = two(router, run_container, labels=routed("app") | RESTS)
        os.kill(one.attrs["State"]["Pid"], signal.SIGSTOP)
        try:
            rests_after_one_failure(router, other)
        finally:
            os.kill(one.attrs["State"]["Pid"], signal.SIGCONT)


def test_one_of_two_drips(router_with: Routers, run_container: Run) -> None:
    """The head of its answers comes byte by byte, which is not in time either."""
    with router_with(HOLD | IN_TIME) as router:
        labels = routed("app") | RESTS
        run_container(labels=labels, environment={"DRIP_MS": "50"})
        other = run_container(labels=labels)
        eventually(lambda: request(router, "app").status, lambda status: status == 504)
        rests_after_one_failure(router, other)


def rests_after_one_failure(router: RouterProcess, good: Container) -> None:
    answers = [request(router, "app") for _ in range(20)]
    # Each worker finds out for itself.
    assert [a.status for a in answers].count(504) <= 4
    assert {backend(a) for a in answers if a.status == 200} == {short_id(good)}
