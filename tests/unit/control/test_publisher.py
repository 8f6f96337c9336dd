import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from edgerouter.control.publisher import Publisher
from edgerouter.ipc.channel import Channel, Message, encode
from edgerouter.ipc.patch import difference


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


@asynccontextmanager
async def connected(publisher: Publisher, index: int = 0) -> AsyncIterator[Worker]:
    ours, theirs = socket.socketpair()
    channel = await Channel.open(ours)
    serving = asyncio.create_task(serve(publisher, index, channel))
    worker = Worker(await Channel.open(theirs), serving)
    assert (await worker.receive())["type"] == "start"
    yield worker
    worker.channel.close()
    await asyncio.wait_for(worker.serving, 5)


@pytest.fixture
async def connect(publisher: Publisher) -> AsyncIterator[Any]:
    async with AsyncExitStack() as workers:

        async def connect(index: int = 0) -> Worker:
            return await workers.enter_async_context(connected(publisher, index))

        yield connect


def snapshot(version: int, size: int = 0) -> Message:
    return {"type": "snapshot", "version": version, "text": "x" * size}


def publish(publisher: Publisher, message: Message) -> None:
    publisher.publish(message)


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
    frames = [await worker.receive() for _ in range(3)]
    assert [frame["type"] for frame in frames] == ["snapshot", "fence", "snapshot"]
    assert frames[1]["urls"] == ["http://10.0.0.2"]


async def test_a_new_worker_is_told_the_fences_first(publisher: Publisher, connect: Any) -> None:
    publish(publisher, snapshot(1))
    publisher.fence(["http://10.0.0.2"])
    worker = await connect()
    assert await worker.receive() == {"type": "fence", "urls": ["http://10.0.0.2"]}
    assert (await worker.receive())["type"] == "snapshot"


async def test_the_same_fences_are_not_sent_again(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publisher.fence(["b", "a"])
    assert await worker.receive() == {"type": "fence", "urls": ["a", "b"]}
    publisher.fence(["a", "b"])
    publisher.order({"type": "reopen"})
    assert (await worker.receive())["type"] == "reopen"


async def test_a_fence_is_lifted_only_when_told_so(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publisher.fence(["a", "b"])
    assert await worker.receive() == {"type": "fence", "urls": ["a", "b"]}
    publisher.fence(["b", "c"])
    assert await worker.receive() == {"type": "fence", "urls": ["a", "b", "c"]}
    assert publisher.liftable == {"a"}
    publisher.lift(frozenset({"a"}))
    assert await worker.receive() == {"type": "fence", "urls": ["b", "c"]}


async def test_what_is_wanted_again_is_not_lifted(publisher: Publisher) -> None:
    publisher.fence(["a"])
    publisher.fence([])
    liftable = publisher.liftable
    publisher.fence(["a"])
    publisher.lift(liftable)
    assert publisher.fenced == {"a"}


async def test_a_fence_is_lifted_behind_the_snapshot_that_waits(
    publisher: Publisher, connect: Any
) -> None:
    worker = await connect()
    publisher.fence(["a"])
    publish(publisher, snapshot(1, size=3_000_000))
    await asyncio.sleep(0.05)
    publish(publisher, snapshot(2, size=3_000_000))
    publisher.fence(["b"])
    publisher.lift(frozenset({"a"}))
    frames = [await worker.receive() for _ in range(5)]
    assert [frame.get("urls") or frame["version"] for frame in frames] == [
        *(["a"], 1),
        *(["a", "b"], 2),
        ["b"],
    ]


async def test_absent_workers_are_made_known(publisher: Publisher, connect: Any) -> None:
    first = await connect(0)
    publisher.set_absent(1, is_absent=True)
    assert await first.receive() == {"type": "adopt", "workers": [1]}
    second = await connect(1)
    assert await second.receive() == {"type": "adopt", "workers": [1]}
    await second.say(type="ready")
    assert await first.receive() == {"type": "adopt", "workers": []}


async def test_signs_of_life_are_noticed(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    assert publisher.question(0)
    assert await worker.receive() == {"type": "ping"}
    assert not publisher.question(0)
    assert not publisher.has_spoken(0)
    assert await worker.receive() == {"type": "ping"}
    await worker.say(type="pong")
    async with asyncio.timeout(5):
        while not publisher.has_spoken(0):
            await asyncio.sleep(0)
    assert publisher.question(0)
    assert not publisher.question(7)


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


async def test_a_worker_gets_the_whole_once_and_then_patches(
    publisher: Publisher, connect: Any
) -> None:
    worker = await connect()
    publisher.publish(routes(1, a=1))
    assert (await worker.receive())["type"] == "snapshot"
    offer(publisher, routes(1, a=1), routes(2, a=1, b=1))
    patch = await worker.receive()
    assert (patch["type"], patch["base"], patch["version"]) == ("patch", 1, 2)
    late = await connect(1)
    assert await late.receive() == routes(2, a=1, b=1)


async def test_what_waits_for_a_slow_worker_is_joined(publisher: Publisher, connect: Any) -> None:
    worker = await connect()
    publisher.publish({**routes(1), "text": "x" * 3_000_000})
    await asyncio.sleep(0.05)  # The pipe is full now; nothing tells when.
    for version in range(2, 6):
        before = routes(version - 1, **{"a": version - 1} if version > 2 else {})
        offer(publisher, before, routes(version, a=version))
    assert (await worker.receive())["version"] == 1
    assert await worker.receive() == {
        "type": "patch",
        "base": 1,
        "version": 5,
        "routers": {"set": {"a": 5}, "gone": []},
    }


async def test_a_worker_that_has_lost_the_thread_gets_the_whole(
    publisher: Publisher, connect: Any
) -> None:
    worker = await connect()
    publisher.publish(routes(1, a=1))
    await worker.receive()
    await worker.say(type="resend")
    assert await worker.receive() == routes(1, a=1)


def routes(version: int, **routers: int) -> Message:
    return {"type": "snapshot", "version": version, "routers": routers}


def offer(publisher: Publisher, old: Message, new: Message) -> None:
    publisher.publish(new, difference(old, new))
