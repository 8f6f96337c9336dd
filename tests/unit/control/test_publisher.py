import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from edgerouter.control.publisher import Publisher
from edgerouter.ipc.channel import Channel, Message, encode


class Worker:
    """A worker's end of the channel."""

    def __init__(self, channel: Channel, serving: "asyncio.Task[None]") -> None:
        self.channel = channel
        self.serving = serving

    async def receive(self) -> Message:
        message = await asyncio.wait_for(self.channel.receive(), 5)
        assert message is not None
        return message

    async def say(self, **message: Any) -> None:
        await self.channel.send(encode(message))


async def serve(publisher: Publisher, index: int, channel: Channel) -> None:
    try:
        await publisher.serve(index, channel, [{"type": "start", "worker": index}])
    finally:
        channel.close()


@pytest.fixture
async def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def connect(publisher: Publisher) -> AsyncIterator[Any]:
    workers: list[Worker] = []

    async def connect(index: int = 0) -> Worker:
        ours, theirs = socket.socketpair()
        channel = await Channel.open(ours)
        serving = asyncio.create_task(serve(publisher, index, channel))
        worker = Worker(await Channel.open(theirs), serving)
        workers.append(worker)
        assert (await worker.receive())["type"] == "start"
        return worker

    yield connect
    for worker in workers:
        worker.channel.close()
        await asyncio.wait_for(worker.serving, 5)


def snapshot(version: int, fenced: set[str] | None = None, size: int = 0) -> Message:
    return {
        "type": "snapshot",
        "version": version,
        "fenced": sorted(fenced or ()),
        "text": "x" * size,
    }


def publish(publisher: Publisher, message: Message) -> None:
    publisher.publish(message["version"], encode(message), frozenset(message["fenced"]))


async def test_every_worker_gets_the_snapshot(publisher: Publisher, connect: Any) -> None:
    first, second = await connect(0), await connect(1)
    publish(publisher, snapshot(1))
    assert (await first.receive())["version"] == (await second.receive())["version"] == 1


async def test_a_late_worker_gets_the_newest_snapshot(publisher: Publisher, connect: Any) -> None:
    publish(publisher, snapshot(1))
    publish(publisher, snapshot(2))
    worker = await connect()
    assert (await worker.receive())["version"] == 2


async def test_a_slow_worker_skips_to_the_newest(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publish(publisher, snapshot(1, size=3_000_000))
    await asyncio.sleep(0.05)  # The pipe is full now; nothing tells when.
    for version in range(2, 50):
        publish(publisher, snapshot(version))
    versions = [(await worker.receive())["version"]]
    while versions[-1] != 49:
        versions.append((await worker.receive())["version"])
    assert versions == [1, 49]


async def test_a_fence_overtakes_a_snapshot_that_waits(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publish(publisher, snapshot(1, size=3_000_000))
    await asyncio.sleep(0.05)
    publish(publisher, snapshot(2))
    publisher.fence(["http://10.0.0.2"])
    frames = [await worker.receive() for _ in range(4)]
    assert [frame["type"] for frame in frames] == ["snapshot", "fence", "snapshot", "fence"]
    assert frames[1]["urls"] == frames[3]["urls"] == ["http://10.0.0.2"]


async def test_an_older_snapshot_does_not_lift_a_fence(publisher: Publisher, connect: Any) -> None:
    publish(publisher, snapshot(1))
    publisher.fence(["http://10.0.0.2"])
    worker = await connect()
    assert (await worker.receive())["type"] == "snapshot"
    assert (await worker.receive()) == {"type": "fence", "urls": ["http://10.0.0.2"]}


async def test_a_snapshot_with_the_fences_needs_no_further_frame(
    publisher: Publisher, connect: Any
) -> None:
    publisher.fence(["http://10.0.0.2"])
    publish(publisher, snapshot(1, {"http://10.0.0.2"}))
    worker = await connect()
    assert (await worker.receive())["type"] == "snapshot"
    publisher.order({"type": "reopen"})
    assert (await worker.receive())["type"] == "reopen"


async def test_the_same_fences_are_not_sent_again(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publisher.fence(["b", "a"])
    assert await worker.receive() == {"type": "fence", "urls": ["a", "b"]}
    publisher.fence(["a", "b"])
    publisher.fence([])
    assert await worker.receive() == {"type": "fence", "urls": []}


async def test_orders_are_never_skipped(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    for _ in range(3):
        publisher.order({"type": "reopen"})
    publisher.order({"type": "drain"})
    kinds = [(await worker.receive())["type"] for _ in range(4)]
    assert kinds == ["reopen", "reopen", "reopen", "drain"]


async def test_acknowledgements_are_kept(publisher: Publisher, connect: Any) -> None:
    first, second = await connect(0), await connect(1)
    changed = asyncio.Event()
    publisher.changed = changed.set
    errors = {"routers/api@docker": ["bad rule"]}
    await first.say(type="ready")
    await first.say(type="applied", version=3, errors=errors)
    await second.say(type="applied", version=2, errors=errors)
    while [slot.applied for slot in publisher.slots] != [3, 2]:
        changed.clear()
        await asyncio.wait_for(changed.wait(), 5)
    assert [slot.ready for slot in publisher.slots] == [True, False]
    assert publisher.errors == {"routers/api@docker": ["bad rule"]}


async def test_a_worker_that_has_gone_is_forgotten(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    worker.channel.close()
    await asyncio.wait_for(worker.serving, 5)
    assert publisher.slots == []
    publish(publisher, snapshot(1))
