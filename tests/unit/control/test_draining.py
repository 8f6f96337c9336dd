"""Orders to drain containers: several at once, side by side, and over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edgerouter.cli.commands import drain as drain_command
from edgerouter.cli.commands import undrain as undrain_command
from edgerouter.control.certificates.commands import Commands
from edgerouter.control.certificates.inventory import Inventory
from edgerouter.control.directory import CONTROL_SOCKET
from edgerouter.control.draining import Draining
from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher
from edgerouter.provider import ProviderContext
from tests.unit.control.test_publisher import Worker, connected


class Containers:
    """A provider with containers ``web-1`` to ``web-9``."""

    Options = BaseModel

    def __init__(self) -> None:
        self.drained: list[str] = []
        self.context: ProviderContext | None = None

    async def run(self, context: ProviderContext) -> None:
        self.context = context
        await asyncio.get_running_loop().create_future()

    def drain(self, name: str, *, is_drained: bool) -> tuple[str, frozenset[str]]:
        if not name.startswith("web-"):
            raise LookupError(f"no running container is called {name}")
        kept = [each for each in self.drained if each != name]
        self.drained = [*kept, name] if is_drained else kept
        if self.context is not None:
            self.context.fence(_url(each) for each in self.drained)
        return name, frozenset([_url(name)])


def _url(name: str) -> str:
    return f"http://{name}"


class Setup:
    """A control plane's part, with a worker that has ``under_way`` connections by URL."""

    def __init__(self) -> None:
        self.containers = Containers()
        self.publisher = Publisher()
        self.providers = Providers(
            {"docker": self.containers}, lambda *_: None, self.publisher.fence
        )
        self.draining = Draining(self.providers, self.publisher)
        self.under_way: dict[str, int] = {}
        self.fenced: list[str] = []
        self.early: list[str] = []
        """What was asked for before it was fenced."""
        self.is_silent = False

    async def work(self, worker: Worker) -> None:
        while (message := await worker.channel.receive()) is not None:
            if message["type"] == "fence":
                self.fenced = message["urls"]
            elif message["type"] == "count" and not self.is_silent:
                self.early += [url for url in message["urls"] if url not in self.fenced]
                left = sum(self.under_way.get(url, 0) for url in message["urls"])
                await worker.say(type="counted", question=message["question"], connections=left)

    async def drain(self, *names: str, timeout: float = 5.0) -> list[dict[str, Any]]:
        answer = await self.draining.drain({"names": list(names), "timeout": timeout})
        found: list[dict[str, Any]] = answer["containers"]
        return found


@asynccontextmanager
async def setup() -> AsyncIterator[Setup]:
    made = Setup()
    async with connected(made.publisher) as worker:
        tasks = [asyncio.create_task(made.work(worker)), asyncio.create_task(made.providers.run())]
        while made.containers.context is None:
            await asyncio.sleep(0)
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_orders_given_at_the_same_time_get_answers_of_their_own() -> None:
    async with setup() as made:
        made.under_way = {_url(f"web-{number}"): number for number in range(1, 10)}
        orders = [made.drain(f"web-{number}", timeout=0) for number in range(1, 10)]
        answers = await asyncio.gather(*orders)
        assert [answer["left"] for (answer,) in answers] == list(range(1, 10))
        assert sorted(made.containers.drained) == [f"web-{number}" for number in range(1, 10)]
        assert not made.early, "what is counted before the fence may have begun behind it"


async def test_several_containers_in_one_order() -> None:
    async with setup() as made:
        made.under_way = {_url("web-2"): 3}
        answers = await made.drain("web-1", "nobody", "web-2", timeout=0)
        assert answers == [
            {"container": "web-1", "left": 0},
            {"container": "nobody", "error": "no running container is called nobody"},
            {"container": "web-2", "left": 3},
        ]
        answer = await made.draining.undrain({"names": ["web-1", "nobody"]})
        assert [each.get("error") for each in answer["containers"]] == [None, answers[1]["error"]]
        assert made.containers.drained == ["web-2"]


async def test_a_drain_that_is_ended_meanwhile_is_no_success() -> None:
    async with setup() as made:
        made.under_way = {_url("web-1"): 1}
        order = asyncio.create_task(made.drain("web-1"))
        while not made.fenced:
            await asyncio.sleep(0)
        await made.draining.undrain({"names": ["web-1"]})
        made.under_way.clear()
        (answer,) = await order
        assert "it is drained no more" in answer["error"]


async def test_a_worker_that_does_not_say_has_not_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerouter.control.publisher.COUNT_TIMEOUT", 0.01)
    async with setup() as made:
        made.is_silent = True
        (answer,) = await made.drain("web-1", timeout=0)
        assert answer["error"] == "a worker does not say what is under way"


async def test_a_worker_that_is_gone_has_nothing() -> None:
    made = Setup()
    async with connected(made.publisher) as worker:
        order = asyncio.create_task(made.drain("web-1"))
        while (await worker.receive())["type"] != "count":
            pass
    assert (await asyncio.wait_for(order, 5)) == [{"container": "web-1", "left": 0}]


async def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with setup() as made:
        made.under_way = {_url("web-2"): 2}
        commands = Commands(Inventory(None, {}), None)
        commands.others = {"drain": made.draining.drain, "undrain": made.draining.undrain}
        path = tmp_path / CONTROL_SOCKET
        serving = asyncio.create_task(commands.serve(path))
        while not path.exists():
            await asyncio.sleep(0)
        where = f"--edgerouter.runtimeDir={tmp_path}"

        async def run(command: Any, *arguments: str) -> tuple[int, str, str]:
            status = await asyncio.to_thread(command.run, [*arguments, where], {})
            out, err = capsys.readouterr()
            return status, out, err

        drained = "web-1: drained, nothing is under way\n"
        assert await run(drain_command, "web-1") == (0, drained, "")
        status, out, err = await run(drain_command, "web-1", "web-2", "--timeout=0")
        assert (status, out) == (1, drained)
        assert "web-2: it gets no new requests, but 2 are still under way after 0 s" in err
        status, out, err = await run(undrain_command, "web-1", "web-2", "nobody")
        assert (status, out) == (1, "web-1: gets requests again\nweb-2: gets requests again\n")
        assert err == "edgerouter undrain: nobody: no running container is called nobody\n"
        assert (await run(drain_command))[0] == 2
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
