"""Routers that order certificates in processes of their own, to be killed.

A child is forked from a process that has loaded everything, so that hundreds of starts take
seconds. It looks after its names until something has become of each, and says what it does in
lines: the answers to challenges, acknowledged when the CA may look, and what became of a name.
"""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgerouter.acme import attempt, order
from edgerouter.acme.answers import Answers
from edgerouter.acme.attempt import Attempt
from edgerouter.acme.challenges import HTTPSolver
from edgerouter.acme.ledger import LETS_ENCRYPT
from edgerouter.acme.resolver import Options, Resolver
from edgerouter.config.static.acme import ACME

READY, GO, END = "ready", "go", "end"
REPOSITORY = Path(__file__).parents[2]


class Nursery:
    """Starts children, one at a time. A context manager."""

    def __init__(self, directory: Path, url: str, trusted: Sequence[str]) -> None:
        self._task = {
            "storage": str(directory / "acme.json"),
            "url": url,
            "trusted": list(trusted),
        }
        self.http01: dict[str, str] = {}
        """Key authorizations that the child has or had, by token."""
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY
        )
        assert self._line() == READY
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self.kill()
        self._process.kill()
        self._process.communicate()

    def start(self, names: Sequence[str], now: float | None = None) -> None:
        """Start a router; ``now`` is its time, by default the system's."""
        self._say(json.dumps({**self._task, "names": list(names), "now": now}))
        self._pid = int(self._line())

    def kill(self) -> None:
        """Kill the router where it is, if it is."""
        if self._pid:
            with suppress(ProcessLookupError):  # It has just ended, or was killed.
                os.kill(self._pid, signal.SIGKILL)

    def wait(self, on_answers: Callable[[], None] = lambda: None) -> dict[str, dict[str, Any]]:
        """Return what became of each name, of a killed router as far as it came.

        ``on_answers`` is called when there are answers to challenges, before the CA may look.
        """
        found: dict[str, dict[str, Any]] = {}
        while (line := self._line()) != END:
            try:
                content = json.loads(line)
            except ValueError:
                continue  # It was killed while it wrote.
            if "http01" in content:
                self.http01 |= content["http01"]
                on_answers()
                self._say(GO)
            else:
                found[content["name"]] = content
        self._pid = 0
        return found

    def _say(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def _router(task: dict[str, Any]) -> None:
    """Look after certificates as a router does; one name after the other, in any order."""

    def publish(wait: bool) -> None:
        if wait:
            _print({"http01": answers.http01})
            sys.stdin.readline()

    def now() -> datetime:
        return datetime.now(UTC) if fixed is None else datetime.fromtimestamp(fixed, UTC)

    random.seed()
    fixed = task["now"]
    answers = Answers(publish)
    acme = ACME(
        ca_server=task["url"],
        storage=task["storage"],
        ca_certificates=task["trusted"],
        key_type="EC256",
    )
    resolver = Resolver("le", acme, HTTPSolver(answers), {}, Options(limits=LETS_ENCRYPT))
    resolver.storage.open()
    names = task["names"]
    random.shuffle(names)
    while names:
        name = names.pop(0)
        result = Attempt(resolver, (name,), now, threading.Event()).run()
        if result.is_busy and result.stored is None:
            names.append(name)
            continue
        _print(
            {
                "name": name,
                "state": result.state,
                "reason": result.reason,
                "next": result.next_look.timestamp(),
            }
        )


def _print(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Fork a router for each line, tell its process, wait for its end."""
    logging.disable()
    attempt.BUSY_DELAY = order._FIRST_POLL = 0.01
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    for line in iter(sys.stdin.readline, ""):
        if line == f"{GO}\n":
            continue  # Said to a router that was killed meanwhile.
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(tell)
                os.read(told, 1)  # Until the number is said: it is the first line.
                _router(json.loads(line))
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.close(told)
        os.close(tell)
        os.waitpid(pid, 0)
        sys.stdout.write(f"\n{END}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
