"""A worker process, and what the control plane may say to it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.address import EntryPointAddress
from edgerouter.control.listeners import Listener, listen
from edgerouter.ipc.channel import Channel, Message, encode
from edgerouter.shared.memory import Shared

STATIC = StaticConfiguration.model_validate(
    {"entryPoints": {"web": {"address": ":80"}}, "log": {"level": "ERROR"}, "ping": {}}
)
PING = {
    "routers": {
        "ping@internal": {
            "entryPoints": ["web"],
            "rule": "PathPrefix(`/`)",
            "ruleSyntax": "v3",
            "priority": 1,
            "precedence": 1,
            "middlewares": [],
            "service": "ping@internal",
            "tls": None,
        }
    },
    "services": {"ping@internal": {"type": "internal", "options": {"name": "ping"}}},
}


class Worker:
    """Worker 0 of two, the other of which does not exist."""

    def __init__(self, channel: Channel, listener: Listener) -> None:
        self.channel = channel
        self.places = [opened.getsockname() for opened in listener.sockets]

    async def say(self, **message: Any) -> None:
        await self.channel.send(encode(message))

    async def hear(self) -> Message:
        message = await asyncio.wait_for(self.channel.receive(), 20)
        assert message is not None, "it has closed the channel"
        return message

    async def apply(self, version: int, **content: Any) -> Message:
        """Send a snapshot; return the acknowledgement."""
        await self.say(type="snapshot", version=version, **content)
        while (message := await self.hear())["type"] != "applied":
            pass
        return message

    async def ask(self, count: int) -> list[bytes]:
        """Send requests on connections of their own, all at the same time; return the bodies."""
        return await asyncio.gather(*(self._ask() for _ in range(count)))

    async def _ask(self) -> bytes:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*self.places[0])
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return answer.partition(b"\r\n\r\n")[2]


@asynccontextmanager
async def worker() -> AsyncIterator[Worker]:
    listener = listen("web", EntryPointAddress("127.0.0.1", 0, "tcp"), workers=2)
    descriptors = [opened.fileno() for opened in listener.sockets]
    shared = Shared.create(2)
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edgerouter.worker", "--channel", str(theirs.fileno())),
            pass_fds=[theirs.fileno(), shared.descriptor, *descriptors],
        )
    channel = await Channel.open(ours)
    try:
        made = Worker(channel, listener)
        await made.say(
            type="start",
            worker=0,
            static=STATIC.model_dump(mode="json"),
            listeners={"web": descriptors},
            admin="/nonexistent",
            shared={"descriptor": shared.descriptor, "workers": 2},
        )
        yield made
    finally:
        channel.close()
        listener.close()
        if process.returncode is None:
            await asyncio.wait_for(process.wait(), 20)


async def test_it_gives_signs_of_life_before_and_after_it_listens() -> None:
    async with worker() as made:
        await made.say(type="ping")
        assert await made.hear() == {"type": "pong"}
        assert (await made.apply(1, **PING))["errors"] == {}
        await made.say(type="ping")
        assert await made.hear() == {"type": "pong"}


async def test_it_accepts_the_connections_of_an_absent_worker() -> None:
    async with worker() as made:
        await made.say(type="adopt", workers=[1])
        await made.apply(1, **PING)
        # Half of these arrive at the other worker's socket.
        assert await made.ask(32) == [b"OK"] * 32
        await made.say(type="adopt", workers=[])
        await made.say(type="ping")
        assert await made.hear() == {"type": "pong"}
        waiting = [asyncio.create_task(made.ask(1)) for _ in range(32)]
        done, pending = await asyncio.wait(waiting, timeout=0.5)
        assert done
        assert pending
        await made.say(type="adopt", workers=[1])
        assert [await task for task in waiting] == [[b"OK"]] * 32


async def test_a_snapshot_that_cannot_be_applied_leaves_what_is_served() -> None:
    async with worker() as made:
        await made.apply(1, **PING)
        broken = await made.apply(2, routers=["no mapping"])
        assert "cannot be applied" in broken["errors"]["snapshot"][0]
        await made.say(type="adopt", workers=[1])
        assert await made.ask(4) == [b"OK"] * 4
        assert (await made.apply(3, **PING))["errors"] == {}


async def test_patches_are_applied_to_the_snapshot_they_were_made_for() -> None:
    async with worker() as made:
        await made.say(type="adopt", workers=[1])
        await made.apply(1, **PING)
        gone = {"routers": {"set": {}, "gone": ["ping@internal"]}}
        await made.say(type="patch", base=7, version=8, **gone)
        assert await made.hear() == {"type": "resend"}
        assert await made.ask(1) == [b"OK"]
        await made.say(type="patch", base=1, version=8, **gone)
        assert await made.hear() == {"type": "applied", "version": 8, "errors": {}}
        assert await made.ask(1) == [b"404 page not found\n"]
