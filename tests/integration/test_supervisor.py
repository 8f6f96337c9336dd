"""The supervisor with real processes; the stand-in worker answers with facts about itself."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edgerouter.config.static.address import EntryPointAddress as Address
from edgerouter.control.listeners import Listener, listen
from edgerouter.control.publisher import Publisher
from edgerouter.control.supervisor import HEARTBEAT, Supervisor, describe_exit

TINY_WORKER = Path(__file__).parents[1] / "support" / "tiny_worker.py"
DRAIN = {"type": "drain", "acceptGrace": {"web": 0}, "grace": {"web": 1}}


class Site:
    """A supervisor with its publisher and its one entry point."""

    def __init__(self, listener: Listener, publisher: Publisher, supervisor: Supervisor) -> None:
        self.listener = listener
        self.publisher = publisher
        self.supervisor = supervisor
        self._changed = asyncio.Event()
        publisher.changed = self._changed.set

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for ``condition``, looked at whenever a worker has said something."""
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def ready(self, count: int) -> None:
        await self.until(lambda: sum(slot.ready for slot in self.publisher.slots) == count)

    def publish(self, version: int) -> None:
        self.publisher.publish({"type": "snapshot", "version": version})

    async def ask(self) -> Any:
        """Send a request and return the facts of the worker that answers."""
        async with asyncio.timeout(10):
            host, port = self.listener.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return json.loads(answer.partition(b"\r\n\r\n")[2])


@asynccontextmanager
async def site(count: int, heartbeat: float = HEARTBEAT) -> AsyncIterator[Site]:
    listener = listen("web", Address("127.0.0.1", 0, "tcp"), workers=count)
    publisher = Publisher()
    command = (sys.executable, str(TINY_WORKER))
    supervisor = Supervisor(count, [listener], publisher, {"static": {}}, command, heartbeat)
    supervisor.start()
    running = asyncio.create_task(supervisor.run())
    try:
        yield Site(listener, publisher, supervisor)
    finally:
        supervisor.kill()
        await asyncio.wait_for(running, 10)
        listener.close()


@pytest.fixture(autouse=True)
def _import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_workers_get_their_start_and_serve_the_inherited_socket() -> None:
    async with site(2) as running:
        running.publish(1)
        await running.ready(2)
        facts = await running.ask()
        assert facts["start"]["type"] == "start"
        assert facts["start"]["worker"] in (0, 1)
        assert list(facts["start"]["listeners"]) == ["web"]
        pids = [worker.pid for worker in running.supervisor.workers]
        assert facts["pid"] in pids
        assert os.getpid() not in pids


async def test_a_killed_worker_is_replaced_and_no_request_is_lost() -> None:
    async with site(1) as running:
        running.publish(7)
        await running.ready(1)
        first = running.supervisor.workers[0].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        # The connection waits in the socket the control plane holds.
        facts = await running.ask()
        assert facts["pid"] != first
        assert facts["version"] == 7
        worker = running.supervisor.workers[0]
        assert worker.restarts == 1
        assert "SIGKILL" in worker.last_exit


async def test_a_worker_that_keeps_dying_is_started_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TINY_WORKER", "crash")
    async with site(1) as running:
        worker = running.supervisor.workers[0]
        await running.until(lambda: worker.restarts >= 3)
        assert worker.last_exit == "exit status 3"
        # It recovers by itself once the reason has gone.
        monkeypatch.delenv("TINY_WORKER")
        running.publish(1)
        await running.ready(1)
    pauses = [
        record.fields["pause"]  # type: ignore[attr-defined]
        for record in caplog.records
        if record.message.startswith("Worker ended")
    ]
    assert pauses[:3] == ["0s", "0.1s", "0.2s"]


async def test_while_a_worker_keeps_dying_the_others_accept_its_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINY_WORKER", "crash-1")
    async with site(2) as running:
        running.publish(1)
        await running.ready(1)
        survivor, broken = running.supervisor.workers
        await running.until(lambda: broken.restarts >= 2)
        # Half of these are the broken worker's.
        answers = await asyncio.gather(*(running.ask() for _ in range(40)))
        assert {facts["pid"] for facts in answers} == {survivor.pid}
        monkeypatch.delenv("TINY_WORKER")
        await running.ready(2)
        pids: set[int] = set()
        async with asyncio.timeout(10):
            while len(pids) < 2:
                pids.add((await running.ask())["pid"])
        assert pids == {survivor.pid, broken.pid}


async def test_a_stopped_worker_is_helped_then_killed_and_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with site(2, heartbeat=0.3) as running:
        running.publish(1)
        await running.ready(2)
        hung = running.supervisor.workers[0]
        first = hung.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        answers = await asyncio.gather(*(running.ask() for _ in range(20)))
        assert first not in {facts["pid"] for facts in answers}
        await running.until(lambda: hung.restarts == 1)
        await running.ready(2)
        reason = "it hung: it gave no sign of life for 1.2s and was killed"
        assert hung.last_exit == reason
        assert not lives(first)
    (record,) = (r for r in caplog.records if r.message.startswith("Worker ended"))
    assert record.fields["reason"] == reason  # type: ignore[attr-defined]


async def test_a_worker_that_answers_lives_on() -> None:
    async with site(1, heartbeat=0.02) as running:
        running.publish(1)
        await running.ready(1)
        first = running.supervisor.workers[0].pid
        while (await running.ask())["frames"].count("ping") < 10:
            pass
        assert running.supervisor.workers[0].pid == first


async def test_drained_workers_end_and_are_not_replaced() -> None:
    async with site(2) as running:
        running.publish(1)
        await running.ready(2)
        running.supervisor.drain(DRAIN)
        await running.until(lambda: not running.publisher.slots)
        assert all(worker.restarts == 0 for worker in running.supervisor.workers)


async def test_a_worker_that_ignores_the_order_can_be_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TINY_WORKER", "stubborn")
    async with site(1) as running:
        running.publish(1)
        await running.ready(1)
        pid = running.supervisor.workers[0].pid
        assert pid is not None
        running.supervisor.drain(DRAIN)
        running.supervisor.kill()
        await running.until(lambda: not running.publisher.slots)
    assert not lives(pid)


async def test_a_closed_entry_point_refuses_connections_once_workers_have_gone() -> None:
    async with site(1) as running:
        running.publish(1)
        await running.ready(1)
        host, port = running.listener.sockets[0].getsockname()
        running.supervisor.drain(DRAIN)
        running.supervisor.close_listener("web")
        await running.until(lambda: not running.publisher.slots)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-11, "killed by signal SIGSEGV"),
        (-9, "killed by signal SIGKILL (often the kernel's, when memory is short)"),
        (-200, "killed by signal 200"),
    ],
)
def test_exits_are_described(status: int, words: str) -> None:
    assert describe_exit(status) == words
