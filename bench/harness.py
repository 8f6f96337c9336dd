"""What all scenarios share: settings, series of values, rounds in which contestants take turns."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import Running
from bench.routers import CONTESTANTS, Routes, upstream


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how often to measure, and whom."""

    contestants: Sequence[str] = tuple(CONTESTANTS)
    rounds: int = 3
    seconds: float = 6
    swaps: int = 1000
    table_swaps: int = 10_000
    containers: int = 200
    recreations: int = 100
    restarts: int = 1000
    certificates: int = 1000


@dataclass(slots=True)
class Series:
    """The values of one measure, one per round, by contestant."""

    measure: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, contestant: str, value: float) -> None:
        self.values.setdefault(contestant, []).append(value)

    def median(self, contestant: str) -> float:
        return statistics.median(self.values[contestant])


def say(text: str) -> None:
    """Show progress; results go to files."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for one run."""
    with tempfile.TemporaryDirectory(prefix="er-bench-") as name:
        # nginx drops root and must still reach its files.
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def running_upstream() -> Iterator[int]:
    """Run the upstream; give its port."""
    with scratch() as directory, upstream(directory) as running:
        running.wait("localhost")
        yield running.port


@contextmanager
def started(contestant: str, routes: Routes, *flags: str) -> Iterator[tuple[Running, Path]]:
    """Run a contestant until it answers for its last route."""
    with scratch() as directory, CONTESTANTS[contestant](directory, routes, *flags) as running:
        running.wait(routes.hosts[-1], routes.ready)
        yield running, directory


def in_turns(settings: Settings, measure: Callable[[str], None]) -> None:
    """Call `measure(contestant)` for each in turn, round by round: what disturbs, disturbs all."""
    for number in range(settings.rounds):
        for contestant in settings.contestants:
            say(f"  round {number + 1} of {settings.rounds}: {contestant}")
            measure(contestant)
