"""Keeps the workers alive and ends them gracefully.

A worker is a subprocess with the listening sockets and one end of a socket
pair. It has died when the other end reads end of file. The supervisor starts
another at once, with a growing pause when they die young. A worker that does
not answer questions is killed. Until its successor is ready, the others accept
its connections. Should the control plane itself die, every worker reads end of
file and drains by itself.
"""

import asyncio
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgerouter.control.listeners import Listener
from edgerouter.control.publisher import Publisher
from edgerouter.ipc.channel import Channel, Message
from edgerouter.observability.logs import fields
from edgerouter.shared.memory import Shared

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "edgerouter.worker")

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Where cgroup v2 says how much CPU time the container has: quota and period, or ``max``."""

ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
}
"""Lets glibc keep what bodies have used: to give it back and fetch it anew, page by page, with
every 256 KiB that pass through is half of the CPU time of a download (docs/performance.md)."""

YOUNG = 5.0
"""Seconds a worker has to live for its death to count as a single event."""

LONGEST_PAUSE = 2.0
"""Seconds between two starts of a worker that keeps dying, at most."""

HEARTBEAT = 2.5
"""Seconds between two questions to a worker. One that is silent from one to the next is helped
by the others: nothing is lost if it was only busy."""

PATIENCE = 4
"""Questions in a row without an answer before a worker counts as hung: 10 s, several times as
long as it takes to build a table of ten thousand routers."""

PATIENCE_AT_START = 12
"""The same before its first word: loading may take long on a busy machine."""

REAP_EVERY = 10.0
"""Seconds between two collections of dead children of unknown origin."""


@dataclass
class WorkerState:
    """What is known of the worker with one number, over all its lives."""

    index: int
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started: float = field(default_factory=time.time)
    """When the present process was started, seconds since the epoch."""
    last_exit: str = ""
    verdict: str = ""
    """Why we have killed the present process; empty while we have not."""

    @property
    def pid(self) -> int | None:
        """The process number, None while there is no process."""
        return self.process.pid if self.process is not None else None


class Supervisor:
    """Runs ``count`` workers until ``drain`` or ``kill``."""

    def __init__(
        self,
        count: int,
        listeners: Iterable[Listener],
        publisher: Publisher,
        start: Mapping[str, Any],
        command: Sequence[str] = COMMAND,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._listeners = list(listeners)
        self._publisher = publisher
        self._first_frame = start
        self._command = command
        self._heartbeat = heartbeat
        self._shared = Shared.create(count)
        self._stopping = asyncio.Event()
        self._last_order: Message | None = None
        self.workers = [WorkerState(index) for index in range(count)]
        self._channels: dict[int, socket.socket] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether workers have been told to end."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start every worker process; before the event loop, so that they load meanwhile."""
        for worker in self.workers:
            self._spawn(worker)

    async def run(self) -> None:
        """Keep every worker alive; returns when all have ended after ``drain`` or ``kill``."""
        async with asyncio.TaskGroup() as tasks:
            for worker in self.workers:
                tasks.create_task(self._keep(worker), name=f"worker {worker.index}")

    def drain(self, message: Message) -> None:
        """Order the workers to finish what they have; they are not replaced any more."""
        self._stopping.set()
        self._last_order = message
        self._publisher.order(message)

    def kill(self) -> None:
        """End the workers at once."""
        self._stopping.set()
        for worker in self.workers:
            if worker.process is not None:
                worker.process.kill()

    def close_listener(self, name: str) -> None:
        """Close our own copies of the sockets of the entry point ``name``.

        Only when the workers have closed theirs too does the kernel refuse new
        connections instead of keeping them waiting.
        """
        for listener in self._listeners:
            if listener.name == name:
                listener.close()

    async def _keep(self, worker: WorkerState) -> None:
        pause = 0.0
        while True:
            born = time.monotonic()
            await self._attend(worker)
            if self._stopping.is_set():
                return
            self._publisher.set_absent(worker.index, is_absent=True)
            self._shared.in_flight.forget(worker.index)
            young = time.monotonic() - born < YOUNG
            log.error(
                "Worker ended, another is started",
                extra=fields(
                    worker=worker.index,
                    pid=worker.pid,
                    reason=worker.last_exit,
                    pause=f"{pause if young else 0:g}s",
                ),
            )
            if young:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stopping.wait()
                    return
                pause = min(max(0.1, pause * 2), LONGEST_PAUSE)
            else:
                pause = 0.0
            worker.restarts += 1
            self._spawn(worker)

    def _spawn(self, worker: WorkerState) -> None:
        ours, theirs = socket.socketpair()
        inherited = [number for numbers in self._descriptors().values() for number in numbers]
        with theirs:
            # A group of its own keeps Ctrl-C in a terminal from reaching the worker.
            worker.process = subprocess.Popen(  # noqa: S603 - our own command.
                [*self._command, "--channel", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=ALLOCATOR | os.environ,
                pass_fds=[theirs.fileno(), self._shared.descriptor, *inherited],
                process_group=0,
            )
        worker.started = time.time()
        worker.verdict = ""
        self._channels[worker.index] = ours

    def _descriptors(self) -> dict[str, list[int]]:
        """Return the listening descriptors by entry point, one per worker or one for all."""
        return {
            listener.name: [opened.fileno() for opened in listener.sockets]
            for listener in self._listeners
        }

    async def _attend(self, worker: WorkerState) -> None:
        """Talk to a living worker until it has ended."""
        channel = await Channel.open(self._channels.pop(worker.index))
        start = {
            **self._first_frame,
            "type": "start",
            "worker": worker.index,
            "listeners": self._descriptors(),
            "shared": {"descriptor": self._shared.descriptor, "workers": len(self.workers)},
        }
        watch = asyncio.create_task(self._watch(worker), name=f"worker {worker.index} heartbeat")
        try:
            orders = [start] if self._last_order is None else [start, self._last_order]
            await self._publisher.serve(worker.index, channel, orders)
        finally:
            watch.cancel()
            channel.close()
        exited = await self._buried(worker)
        worker.last_exit = worker.verdict or exited

    async def _watch(self, worker: WorkerState) -> None:
        """Kill ``worker`` when it has been silent for too long.

        Questions are counted, not seconds: time in which we ourselves stood still does not count.
        """
        missed, is_helped = 0, False
        self._publisher.question(worker.index)
        while True:
            await asyncio.sleep(self._heartbeat)
            missed = 0 if self._publisher.question(worker.index) else missed + 1
            has_spoken = self._publisher.has_spoken(worker.index)
            if missed >= (PATIENCE if has_spoken else PATIENCE_AT_START):
                break
            if has_spoken and is_helped != bool(missed):
                is_helped = bool(missed)
                self._publisher.set_absent(worker.index, is_absent=is_helped)
                log.warning(
                    "Worker is silent, the others accept its connections"
                    if is_helped
                    else "Worker answers again",
                    extra=fields(worker=worker.index, pid=worker.pid),
                )
        seconds = missed * self._heartbeat
        worker.verdict = f"it hung: it gave no sign of life for {seconds:g}s and was killed"
        if worker.process is not None:
            worker.process.kill()

    async def _buried(self, worker: WorkerState) -> str:
        """Wait for a worker whose channel is closed; say how it ended."""
        process = worker.process
        assert process is not None, "a worker that is attended to has been spawned"  # noqa: S101
        try:
            status = await asyncio.to_thread(process.wait, 1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
            return "it closed its channel without ending and was killed"
        return describe_exit(status)


def cpu_count(limit: Path = CPU_LIMIT) -> int:
    """Return how many CPUs we may use: those we may run on, at most what the container may."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = limit.read_text().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        # No such file, or "max": no limit.
        return count


def describe_exit(status: int) -> str:
    """Say what a return code of ``subprocess`` means."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    hint = " (often the kernel's, when memory is short)" if -status == signal.SIGKILL else ""
    return f"killed by signal {name}{hint}"


class Reaper:
    """Collects dead processes that were re-parented to us, as is the duty of pid 1."""

    def __init__(self, own: Iterable[WorkerState]) -> None:
        self._own = list(own)
        self._seen: set[int] = set()

    def watch(self) -> None:
        """Collect now and then; SIGCHLD belongs to uvloop, which refuses other handlers."""
        self.reap()
        asyncio.get_running_loop().call_later(REAP_EVERY, self.watch)

    def reap(self) -> None:
        """Collect the children that were dead the last time too, but for the workers.

        Whoever started a child himself has waited for it by then.
        """
        dead = set(zombies(os.getpid())) - {worker.pid for worker in self._own}
        for pid in dead & self._seen:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        self._seen = dead


def zombies(parent: int) -> list[int]:
    """Return the dead, uncollected children of ``parent`` (``proc(5)``)."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"{entry.path}/stat", "rb") as stat:  # noqa: PTH123 - proc, many small files.
                    state, parent_pid = stat.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if state == b"Z" and int(parent_pid) == parent:
                found.append(int(entry.name))
    return found
