"""Results as JSON and as the page docs/benchmarks.md."""

import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.builds import build
from bench.harness import Series
from bench.routers import ROOT

JSON = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: written by `make bench` -->\n", "<!-- end of benchmarks -->"

INTRODUCTION = """# Benchmarks

`make bench` measures edgerouter beside nginx and the real Traefik, in one run on one machine, and
rewrites this page. Each router has one core of its own (`taskset`), the upstream (nginx) and the
load generator (wrk) share another. All have the same routes; they take turns, round by round
(three, or `make bench ARGS='--rounds 5'`). CPU is the time of all processes and threads of the
router. Shown is the median, below it the smallest and the largest value; ratios are of medians,
edgerouter's to the other's. Other work on the machine changes rates and latencies more than CPU
times. edgerouter is measured with its hot path compiled, as it is in the image;
`COMPILE_EDGEROUTER=0 make bench` measures plain Python.
"""


def machine() -> dict[str, str]:
    """What the numbers depend on."""

    def first_line(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).strip().splitlines()[0].strip()

    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    traefik = str(Path(sys.executable).with_name("traefik"))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": model,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "build": build(),
        "nginx": first_line("nginx", "-v").rpartition("/")[2],
        "traefik": first_line(traefik, "version").rpartition(" ")[2],
    }


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(series: Sequence[Series]) -> list[str]:
    contestants = list(dict.fromkeys(name for entry in series for name in entry.values))
    others = [name for name in contestants if name != "edgerouter"]
    ratios = [f"to {name}" for name in others] if "edgerouter" in contestants else []
    rows = ["| | " + " | ".join([*contestants, *ratios]) + " |"]
    rows.append("| --- |" + " ---: |" * (len(contestants) + len(ratios)))
    for entry in series:
        cells = [f"{entry.measure}, {entry.unit}" if entry.unit else entry.measure]
        cells += [_cell(entry.values.get(name, [])) for name in contestants]
        cells += [_ratio(entry, other) for other in others] if ratios else []
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    middle = number(statistics.median(values))
    if min(values) == max(values):
        return middle
    return f"**{middle}**<br>{number(min(values))} to {number(max(values))}"


def _ratio(entry: Series, other: str) -> str:
    if not entry.values.get("edgerouter") or not entry.values.get(other):
        return "-"
    base = entry.median(other)
    return f"{entry.median('edgerouter') / base:.2f}" if base else "-"


HIGHLIGHTS = (
    ("small_get", "CPU per request", "CPU per small request, 10 routers"),
    (
        "many_routes",
        "CPU per request, 10,000 routers, all asked",
        "CPU per small request, 10,000 routers",
    ),
    ("small_get", "Requests per second", "Small requests, 10 routers"),
    ("download", "CPU per gigabyte", "CPU per gigabyte downloaded"),
    ("start", "Memory of the serving process", "Memory of the serving process"),
    ("start", "Start to first 200", "Start to first answer"),
    ("swaps", "Write to effect", "File written to change in effect"),
    ("swaps", "Failed requests", "Failed requests in all changes"),
    ("turnover", "Start to first 200", "Container started to first answer"),
    ("turnover", "Failed requests per stop", "Failed requests when a container stops"),
)


def summary(scenarios: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of the README: medians of the most telling measures."""
    rows = ["| | edgerouter | Traefik | nginx |", "| --- | ---: | ---: | ---: |"]
    for scenario, measure, label in HIGHLIGHTS:
        for one in scenarios.get(scenario, {}).get("series", ()):
            if one["measure"] == measure:
                entry = Series(**one)
                cells = [_plain(entry, name) for name in ("edgerouter", "traefik", "nginx")]
                rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _plain(entry: Series, contestant: str) -> str:
    if not entry.values.get(contestant):
        return "-"
    return f"{number(entry.median(contestant))} {entry.unit}".strip()


class Report:
    """The results so far; scenarios that were not run keep their older results."""

    def __init__(self) -> None:
        self._data: dict[str, dict[str, Any]] = {}
        if JSON.exists():
            self._data = json.loads(JSON.read_text())["scenarios"]

    def add(
        self, name: str, title: str, text: str, series: Sequence[Series], settings: object
    ) -> None:
        self._data[name] = {
            "title": title,
            "text": text,
            "settings": str(settings),
            "machine": machine(),
            "series": [asdict(entry) for entry in series],
        }

    def write(self, order: Sequence[str]) -> None:
        """Write the JSON file and the page."""
        known = {name: self._data[name] for name in order if name in self._data}
        rows = [f"{json.dumps(name)}: {json.dumps(known[name])}" for name in known]
        JSON.write_text('{"scenarios": {\n' + ",\n".join(rows) + "\n}}\n")
        lines = [INTRODUCTION]
        for entry in known.values():
            lines += self._section(entry)
        PAGE.write_text("\n".join(lines))
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(before + BEGIN + summary(known) + END + rest.partition(END)[2])

    @staticmethod
    def _section(entry: Mapping[str, Any]) -> list[str]:
        measured = entry["series"]
        facts = entry["machine"]
        series = [Series(**one) for one in measured]
        where = (
            f"{facts['date']}, {facts['processor']}, Linux {facts['kernel']}, "
            f"Python {facts['python']}, "
            f"edgerouter {facts.get('build', 'plain Python')}, "
            f"nginx {facts['nginx']}, Traefik {facts['traefik']}."
        )
        return [f"## {entry['title']}\n", f"{entry['text']}\n", *table(series), "", where, ""]
