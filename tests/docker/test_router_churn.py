"""Two hundred containers come and go: nobody on another route notices, and nothing is left over."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.support.docker.engine import Fleet
from tests.support.docker.load import Load
from tests.support.docker.routes import (
    backend,
    request,
    routed,
    short_id,
    wait_for_backends,
)
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

ROUNDS = 10
AT_ONCE = 20
WARM = 3
"""Rounds after which memory is expected to stay."""
GROWTH = 8 * 2**20
"""Bytes a process may grow in the rounds after that."""
Named = tuple[str, Container]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_churn(router_with: Callable[..., RouterProcess], fleet: Fleet) -> None:
    began = time.monotonic()
    with router_with() as router, ThreadPoolExecutor(4) as threads:
        stable = fleet.run_container(labels=routed("stable"))
        wait_for_backends(router, "stable", {short_id(stable)})
        keep: list[Named] = []
        memory: dict[int, dict[str, int]] = {}
        with Load(router.ports["web"], "stable.test", rate=25) as load:
            last: list[Named] = []
            for number in range(ROUNDS):
                new = list(threads.map(lambda n: _run(fleet, n), _names(number)))
                keep += last[:1]
                list(threads.map(lambda pair: pair[1].remove(force=True), last[1:]))
                last = new
                wait_for_backends(router, new[-1][0], {short_id(new[-1][1])})
                memory[number] = _memory(router)
        keep += last
        assert load.failures == []
        _all_routable(router, keep)
        _all_gone(router, {name for name, _ in keep})
        _flat(memory[WARM], memory[ROUNDS - 1])
    print(f"{ROUNDS * AT_ONCE} containers in {time.monotonic() - began:.0f} s;", end=" ")
    print(f"{len(load.samples)} requests; memory (MiB):", _in_mib(memory))


def _names(number: int) -> Iterable[str]:
    return [f"churn-{number}-{i}" for i in range(AT_ONCE)]


def _run(fleet: Fleet, name: str) -> Named:
    return name, fleet.run_container(labels=routed(name))


def _all_routable(router: RouterProcess, containers: list[Named]) -> None:
    """Each route leads to its own container."""
    expected = {name: short_id(container) for name, container in containers}
    eventually(
        lambda: {name: backend(request(router, name)) for name in expected},
        lambda found: found == expected,
    )


def _all_gone(router: RouterProcess, kept: set[str]) -> None:
    gone = {n for number in range(ROUNDS) for n in _names(number)} - kept
    eventually(
        lambda: {name for name in gone if request(router, name).status != 404},
        lambda left: not left,
    )
    routers = {each["name"] for each in router.get("/api/http/routers?per_page=1000")}
    assert {f"{name}@docker" for name in kept} == {n for n in routers if n.startswith("churn-")}


def _memory(router: RouterProcess) -> dict[str, int]:
    """Resident bytes of each process."""
    pids = {f"worker {w['worker']}": w["pid"] for w in router.get("/api/edgerouter/workers")}
    return {name: _resident(pid) for name, pid in {**pids, "control plane": router.pid}.items()}


def _resident(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    ]
    return int(line.split()[1]) * 1024


def _flat(warm: dict[str, int], end: dict[str, int]) -> None:
    assert warm.keys() == end.keys()
    grown = {name: end[name] - warm[name] for name in end if end[name] - warm[name] > GROWTH}
    assert not grown, grown


def _in_mib(memory: dict[int, dict[str, int]]) -> dict[str, list[float]]:
    names = next(iter(memory.values()))
    return {name: [round(each[name] / 2**20, 1) for each in memory.values()] for name in names}
