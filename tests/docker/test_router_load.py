"""Requests that run while containers come and go: none fails that need not."""

import threading
import time
from collections.abc import Callable

from docker.models.containers import Container

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
        with Load(web, "other.test") as untouched, Load(web, "scaled.test", SLOW) as load:
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


def test_kill(router_with: Callable[..., RouterProcess], run_container: Run) -> None:
    """GET requests that a killed replica leaves unanswered are sent to another one."""
    with router_with() as router:
        staying = run_container(labels=routed("struck"))
        for _ in range(3):
            going = run_container(labels=routed("struck"))
            wait_for_backends(router, "struck", {short_id(staying), short_id(going)})
            with Load(router.ports["web"], "struck.test", SLOW, rate=100) as load:
                eventually(lambda: len(load.samples), lambda count: count > 40)
                since = time.monotonic()
                going.kill("SIGKILL")
                wait_for_backends(router, "struck", {short_id(staying)})
            delay = load.last_sent_to(short_id(going)) - since
            print(f"kill to the last answer: {delay * 1000:.1f} ms; failures: {load.failures}")
            assert load.failures == []
            assert delay < FENCE
            going.remove()


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
