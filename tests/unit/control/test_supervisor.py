"""The reaper; the rest of the supervisor is tested with real workers under ``integration``."""

import os
import subprocess
import sys
import time

from edgerouter.control.supervisor import Reaper, WorkerState, zombies

ORPHAN = """
import ctypes, os, subprocess, time
from edgerouter.control.supervisor import Reaper, zombies

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
orphan = int(subprocess.check_output(["sh", "-c", "sleep 0.01 >&- & echo $!"]))
while orphan not in zombies(os.getpid()):
    time.sleep(0.005)
Reaper([]).reap()
print(orphan in zombies(os.getpid()))
"""


def until_dead(process: "subprocess.Popen[bytes]") -> None:
    while process.pid not in zombies(os.getpid()):
        time.sleep(0.005)


def test_orphans_are_collected() -> None:
    output = subprocess.check_output([sys.executable, "-c", ORPHAN], timeout=20)
    assert output == b"False\n"


def test_workers_are_left_to_the_supervisor() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"])
    until_dead(process)
    Reaper([WorkerState(0, process)]).reap()
    assert process.wait() == 7


def test_others_are_collected() -> None:
    process = subprocess.Popen(["true"])
    until_dead(process)
    Reaper([]).reap()
    assert process.pid not in zombies(os.getpid())
    process.wait()
