"""The reaper; the rest of the supervisor is tested with real workers under ``integration``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgerouter.control.supervisor import Reaper, WorkerState, cpu_count

ORPHAN = """
import ctypes, os, subprocess
from edgerouter.control.supervisor import Reaper, zombies

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
orphan = int(subprocess.check_output(["sh", "-c", "sleep 0.01 >&- & echo $!"]))
os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT)
reaper = Reaper([])
reaper.reap()
reaper.reap()
print(orphan in zombies(os.getpid()))
"""


def until_dead(process: "subprocess.Popen[bytes]") -> None:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_orphans_are_collected() -> None:
    output = subprocess.check_output([sys.executable, "-c", ORPHAN], timeout=20)
    assert output == b"False\n"


def test_workers_are_left_to_the_supervisor() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"])
    until_dead(process)
    reaper = Reaper([WorkerState(0, process)])
    reaper.reap()
    reaper.reap()
    assert process.wait() == 7


def test_who_started_a_child_has_time_to_wait_for_it() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"])
    until_dead(process)
    Reaper([]).reap()
    assert process.wait() == 7


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("max 100000", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_containers_share_of_the_cpus_counts(
    text: str, count: int | None, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    every = len(os.sched_getaffinity(0))
    assert cpu_count(tmp_path / "cpu.max") == (every if count is None else min(count, every))
    assert cpu_count(tmp_path / "none") == every
