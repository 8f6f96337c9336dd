"""Requests that run while containers come and go: none fails that need not."""

import os
import signal
import threading
import time
from collections.abc import Callable

import docker.types
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.support.docker.engine import container_ip
from tests.support.docker.load import Load
from tests.support.docker.routes import routed, short_id, wait_for_backends, wait_for_status
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

Run = Callable[..., Container]
SLOW = "/?bytes=0&wait_ms=20"
FENCE = 0.5
"""Seconds; asked for are 0.05 on a machine that does nothing else."""


def test_three_replicas_and_back(
    router_with: Callable[..., RouterProcess], run_container: Run
) -> None:
    """A replica that finishes its work at SIGTERM, as servers do, costs no request."""
    finishing = {"labels": routed("scaled"), "environment": {"STOP_MS": "600"}}
    with router_with() as router:
        other = run_container(labels=routed("other"))
        first = run_container(**finishing)
        wait_for_backends(router, "other", {short_id(other)})
        wait_for_backends(router, "scaled", {short_id(first)})
        web = router.ports["web"]
        with (
            Load(web, "other.test") as untouched,
            Load(web, "scaled.test", SLOW) as load,
            Load(web, "scaled.test", SLOW, method="POST") as posts,
        ):
            second, third = run_container(**finishing), run_container(**finishing)
            three = {short_id(c) for c in (first, second, third)}
            wait_for_backends(router, "scaled", three)
            stopped: dict[str, float] = {}
            for replica in (first, second):
                stopped[short_id(replica)] = time.monotonic()
                replica.stop(timeout=5)
                replica.remove()
            wait_for_backends(router, "scaled", {short_id(third)})
        assert len(untouched.samples) > 100
        assert untouched.failures == []
        assert load.failures == []
        assert posts.failures == []
        for replica_id, since in stopped.items():
            delay = load.last_sent_to(replica_id) - since
            print(f"last request on a stopped replica: {delay * 1000:.1f} ms after the stop")
            assert delay < FENCE


def test_fence(router_with: Callable[..., RouterProcess], run_container: Run) -> None:
    """The replica that goes serves on and on after its stop signal, and is asked no more."""
    with router_with() as router:
        staying = run_container(labels=routed("fenced"))
        delays = []
        for _ in range(3):
            # Process 1 takes no notice of a signal it has no handler for.
            going = run_container(labels=routed("fenced"), stop_signal="SIGUSR1")
            wait_for_backends(router, "fenced", {short_id(staying), short_id(going)})
            with Load(router.ports["web"], "fenced.test", rate=200) as load:
                eventually(lambda: len(load.samples), lambda count: count > 40)
                since = time.monotonic()
                going.stop(timeout=1)
            assert load.failures == []
            delays.append(load.last_sent_to(short_id(going)) - since)
            assert max(sample.sent for sample in load.samples) - since > 0.9
            going.remove()
        print("stop to the last new request (ms):", [round(delay * 1000, 1) for delay in delays])
        assert max(delays) < FENCE


def kill_by_engine(container: Container) -> None:
    container.kill("SIGKILL")


def kill_by_kernel(container: Container) -> None:
    """As the kernel does when memory is short: the engine hears of the end only."""
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)


def restart(container: Container) -> None:
    """The server ends at once at SIGTERM, with requests in flight."""
    container.restart(timeout=5)


@pytest.mark.parametrize("strike", [kill_by_engine, kill_by_kernel, restart])
def test_get_requests_outlive_their_replica(
    router_with: Callable[..., RouterProcess],
    run_container: Run,
    strike: Callable[[Container], None],
) -> None:
    """GET requests that a replica leaves unanswered are sent to another one."""
    with router_with() as router:
        staying = run_container(labels=routed("struck"))
        going = run_container(labels=routed("struck"))
        both = {short_id(staying), short_id(going)}
        wait_for_backends(router, "struck", both)
        with Load(router.ports["web"], "struck.test", SLOW, rate=100) as load:
            eventually(lambda: len(load.samples), lambda count: count > 40)
            since = time.monotonic()
            strike(going)
            if strike is restart:
                wait_for_backends(router, "struck", both)
            else:
                wait_for_backends(router, "struck", {short_id(staying)})
        assert load.failures == []
        if strike is not restart:
            delay = load.last_sent_to(short_id(going)) - since
            print(f"{strike.__name__} to the last request it answered: {delay * 1000:.1f} ms")
            assert delay < FENCE


def test_only_replica_is_replaced(
    router_with: Callable[..., RouterProcess], run_container: Run
) -> None:
    """The new one runs before the old one ends: no request fails."""
    with router_with() as router:
        old = run_container(labels=routed("replaced"), environment={"STOP_MS": "500"})
        wait_for_status(router, "replaced", 200)
        with Load(router.ports["web"], "replaced.test") as load:
            new = run_container(labels=routed("replaced"))
            wait_for_backends(router, "replaced", {short_id(old), short_id(new)})
            stopping = threading.Thread(target=lambda: old.stop(timeout=5))
            stopping.start()
            wait_for_backends(router, "replaced", {short_id(new)})
            stopping.join()
        assert load.failures == []


def test_address_goes_to_another_container(
    quick_router: RouterProcess, run_container: Run, network: Callable[..., Network]
) -> None:
    """Nobody who asks for the old one gets an answer of the new one, which is served soon."""
    pool = docker.types.IPAMPool(subnet="172.31.255.0/29", gateway="172.31.255.1")
    net = network(ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    config = {net.name: docker.types.EndpointConfig("1.44", ipv4_address="172.31.255.2")}

    def run(name: str) -> Container:
        return run_container(labels=routed(name), network=net, networking_config=config)

    old = run("old")
    wait_for_backends(quick_router, "old", {short_id(old)})
    with Load(quick_router.ports["web"], "old.test", rate=100) as load:
        eventually(lambda: load.samples, lambda samples: samples[-1:] and samples[-1].status == 200)
        for name in ("new", "newer"):
            old.remove(force=True)
            new = run(name)
            assert container_ip(new) == "172.31.255.2"
            wait_for_backends(quick_router, name, {short_id(new)}, within=5)
            old = new
    answered = {sample.backend for sample in load.samples if sample.status == 200}
    assert len(answered) == 1, answered


def test_replica_that_crashes_again_and_again(
    router_with: Callable[..., RouterProcess], run_container: Run
) -> None:
    """It is a server for moments in which nobody listens; requests go to the other replica."""
    with router_with() as router:
        steady = run_container(labels=routed("looping"))
        wait_for_backends(router, "looping", {short_id(steady)})
        web = router.ports["web"]
        with (
            Load(web, "looping.test") as load,
            Load(web, "looping.test", method="POST") as posts,
        ):
            looping = run_container(
                labels=routed("looping"),
                command=["-check"],  # Nobody listens yet: it ends with an error.
                restart_policy={"Name": "always"},
            )
            eventually(lambda: _restarts(looping), lambda count: count >= 5)
        assert load.failures == []
        assert posts.failures == []
        answered = {sample.backend for sample in load.samples}
        assert answered == {short_id(steady)}


def _restarts(container: Container) -> int:
    container.reload()
    return int(container.attrs["RestartCount"])
