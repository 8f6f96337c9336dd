"""The benchmark's tables and the way it counts processes."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.harness import Series
from bench.processes import ROUTER_CORE, Running
from bench.report import number, summary, table
from bench.routers import Routes, dynamic_yaml


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.0123"), (12.345, "12.3"), (123.4, "123"), (83275.4, "83,275")],
)
def test_three_digits_are_shown(value: float, text: str) -> None:
    assert number(value) == text


def test_table_shows_median_range_and_ratio() -> None:
    series = Series("CPU", "µs", {"nginx": [10, 30, 20], "edgerouter": [50, 40, 30]})
    assert table([series]) == [
        "| | nginx | edgerouter | to nginx |",
        "| --- | ---: | ---: | ---: |",
        "| CPU, µs | **20**<br>10 to 30 | **40**<br>30 to 50 | 2.00 |",
    ]


def test_missing_values_and_division_by_zero_are_left_open() -> None:
    failed = Series("Failed", "", {"nginx": [0], "edgerouter": [2]})
    delay = Series("Delay", "ms", {"edgerouter": [3]})
    assert table([failed, delay])[2:] == ["| Failed | 0 | 2 | - |", "| Delay, ms | - | 3 | - |"]


def test_summary_takes_the_median_of_what_was_measured() -> None:
    series = Series("CPU per request", "µs", {"edgerouter": [1, 9, 2], "traefik": [4]})
    rows = summary({"small_get": {"series": [asdict(series)]}}).splitlines()
    assert rows[2:] == ["| CPU per small request, 10 routers | 2 µs | 4 µs | - |"]


def test_children_are_counted_with_their_parent(tmp_path: Path) -> None:
    program = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.3: pass\\nprint(1, flush=True); input()"
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
child = subprocess.Popen([sys.executable, "-c", burn], **pipes)
child.stdout.readline()
print("ready", flush=True)
time.sleep(60)
"""
    with Running("parent", [sys.executable, "-c", program], 0, ROUTER_CORE, tmp_path) as running:
        with subprocess.Popen(
            ["tail", "-F", running.log], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline() == b"ready\n"
            tail.terminate()
        assert len(running.pids()) == 2
        assert running.cpu() >= 0.25  # The kernel counts in ticks of 10 ms.
        assert len(running.memory()) == 2


def test_routes_of_a_version_are_in_the_file() -> None:
    text = dynamic_yaml(Routes(2, upstream=8000, version=3))
    assert "Host(`app-1.example.com`)" in text
    assert "Path(`/version-3`)" in text
    assert "Path(`/version" not in dynamic_yaml(Routes(2, upstream=8000))
