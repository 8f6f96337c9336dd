import asyncio
import json
import logging
import socket
from typing import Self

import pytest
from pydantic import BaseModel

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration, HTTPConfiguration
from edgerouter.config.dynamic.http import (
    Router,
    Server,
    ServerHealthCheck,
    ServersLoadBalancer,
    Service,
)
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.core import Core, load_providers
from edgerouter.control.publisher import Publisher
from edgerouter.control.runtime import build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.control.supervisor import Supervisor
from edgerouter.ipc.channel import Channel, Message
from edgerouter.provider import ProviderContext
from tests.support.data_plane import upstream


def static(throttle: float) -> StaticConfiguration:
    return StaticConfiguration.model_validate(
        {
            "entryPoints": {"web": {"address": ":80"}},
            "providers": {"providersThrottleDuration": throttle},
        }
    )


STATIC = static(0.01)


def configuration(rule: str = "Host(`a`)") -> DynamicConfiguration:
    balancer = ServersLoadBalancer(servers=[Server(url="http://10.0.0.2:80")])
    routers = {"r": Router(rule=rule, service="s")}
    services = {"s": Service(load_balancer=balancer)}
    return DynamicConfiguration(http=HTTPConfiguration(routers=routers, services=services))


class Source:
    """A provider whose context the test uses."""

    Options = BaseModel

    def __init__(self) -> None:
        self.started: asyncio.Future[ProviderContext] = asyncio.get_running_loop().create_future()

    async def run(self, context: ProviderContext) -> None:
        self.started.set_result(context)
        await asyncio.get_running_loop().create_future()


class Site:
    """A core with one provider, and a worker's end of its channel."""

    def __init__(self, *providers: str, static: StaticConfiguration = STATIC) -> None:
        self.publisher = Publisher()
        self.sources = {name: Source() for name in providers}
        supervisor = Supervisor(0, [], self.publisher, {})
        self.core = Core(static, [], [], self.sources, self.publisher, supervisor)
        ours, theirs = socket.socketpair()
        self._ends = ours, theirs
        self._admin = socket.socket(socket.AF_UNIX)

    async def __aenter__(self) -> Self:
        self._channel = await Channel.open(self._ends[0])
        self._worker = await Channel.open(self._ends[1])
        self._admin.bind("")
        self._admin.listen()
        self._tasks = [
            asyncio.create_task(self.core.run(self._admin)),
            asyncio.create_task(self.publisher.serve(0, self._channel, [])),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._channel.close()
        self._worker.close()
        self._admin.close()

    async def context(self, name: str = "file") -> ProviderContext:
        return await asyncio.wait_for(self.sources[name].started, 5)

    async def receive(self) -> Message:
        message = await asyncio.wait_for(self._worker.receive(), 5)
        assert message is not None
        return message


async def test_a_publication_becomes_a_snapshot() -> None:
    async with Site("file") as site:
        (await site.context()).publish(configuration())
        snapshot = await site.receive()
        assert snapshot["type"] == "snapshot"
        assert snapshot["version"] == 1
        assert snapshot["routers"]["r@file"]["service"] == "s@file"


async def test_the_first_snapshot_waits_for_every_provider() -> None:
    async with Site("file", "docker") as site:
        (await site.context("file")).publish(configuration("Host(`a`)"))
        (await site.context("docker")).publish(configuration("Host(`b`)"))
        assert set((await site.receive())["routers"]) == {"r@file", "r@docker"}


async def test_without_providers_there_is_a_snapshot_too() -> None:
    async with Site() as site:
        assert (await site.receive())["version"] == 1


def checked(*urls: str) -> DynamicConfiguration:
    check = ServerHealthCheck(path="/", interval=60.0)
    balancer = ServersLoadBalancer(servers=[Server(url=url) for url in urls], health_check=check)
    made = configuration()
    made.http.services["s"] = Service(load_balancer=balancer)
    return made


async def test_a_new_server_is_unproven_before_workers_have_it() -> None:
    asked: asyncio.Queue[None] = asyncio.Queue()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(None)
        await reader.read()

    async with Site("file") as site, upstream(hang) as port, upstream(hang) as other:
        old, new = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{other}"
        context = await site.context()
        context.publish(checked(old))
        kinds = {(await site.receive())["type"], (await site.receive())["type"]}
        assert kinds == {"snapshot", "health"}
        context.publish(checked(old, new))
        health = await site.receive()
        assert (health["type"], health["unproven"]) == ("health", {"s@file": sorted([old, new])})
        assert (await site.receive())["type"] == "patch"
        for _ in (old, new):
            await asked.get()


async def test_a_fence_needs_no_rebuild() -> None:
    async with Site("file") as site:
        context = await site.context()
        context.publish(configuration())
        await site.receive()
        context.fence(["http://10.0.0.2:80"])
        assert await site.receive() == {"type": "fence", "urls": ["http://10.0.0.2:80"]}
        context.fence([])
        assert await site.receive() == {"type": "fence", "urls": []}


async def test_a_fence_is_lifted_behind_the_table_of_what_was_published_before() -> None:
    async with Site("file", static=static(0.5)) as site:
        context = await site.context()
        context.publish(configuration())
        await site.receive()
        context.fence(["http://10.0.0.2:80"])
        assert (await site.receive())["type"] == "fence"
        # The address has a new owner: no request of the old routers may reach it.
        context.publish(configuration("Host(`b`)"))
        context.fence([])
        assert (await site.receive())["routers"]["set"]["r@file"]["rule"] == "Host(`b`)"
        assert await site.receive() == {"type": "fence", "urls": []}


async def test_a_fence_is_lifted_when_what_was_published_changes_nothing() -> None:
    async with Site("file") as site:
        context = await site.context()
        context.publish(configuration())
        await site.receive()
        context.fence(["http://10.0.0.2:80"])
        assert (await site.receive())["type"] == "fence"
        context.publish(configuration(), [Diagnostic("warning", "odd")])
        context.fence([])
        assert await site.receive() == {"type": "fence", "urls": []}


async def test_what_changes_nothing_for_workers_is_not_sent() -> None:
    async with Site("file") as site:
        context = await site.context()
        context.publish(configuration())
        assert (await site.receive())["version"] == 1
        context.publish(configuration(), [Diagnostic("warning", "odd")])
        context.publish(configuration("Host(`b`)"), [Diagnostic("warning", "odd")])
        patch = await site.receive()
        assert (patch["type"], patch["base"], patch["version"]) == ("patch", 1, 2)
        assert patch["routers"]["set"]["r@file"]["rule"] == "Host(`b`)"
        assert "services" not in patch
        assert site.core.view.diagnostics()[0]["message"] == "odd"


async def test_a_diagnostic_is_logged_once_while_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def odd_lines() -> int:
        return sum(record.message == "c1, k: odd" for record in caplog.records)

    odd = Diagnostic("warning", "odd", "file", "c1", "k")
    with caplog.at_level(logging.WARNING):
        async with Site("file") as site:
            context = await site.context()
            for host, found in [("a", [odd]), ("b", [odd]), ("c", []), ("d", [odd])]:
                context.publish(configuration(f"Host(`{host}`)"), found)
                await site.receive()
                assert odd_lines() == (2 if host == "d" else 1)


async def test_a_rebuild_that_fails_leaves_the_last_snapshot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Site("file") as site:
        context = await site.context()
        context.publish(configuration())
        await site.receive()
        context.publish(configuration().model_copy(update={"tcp": "nonsense"}))
        context.fence(["http://x"])
        assert (await site.receive())["type"] == "fence"
        while not site.core.view.failed_rebuilds:
            await asyncio.sleep(0.01)
        assert any(record.exc_info for record in caplog.records)
        context.publish(configuration("Host(`b`)"))
        assert (await site.receive())["version"] == 2


class Broken(BaseModel):
    """Options of a provider that is not installed."""


def test_a_provider_that_cannot_be_made_is_left_out_and_named() -> None:
    providers = STATIC.providers.model_copy(update={"enabled": {"none": Broken()}})
    static = STATIC.model_copy(update={"providers": providers})
    made, diagnostics = load_providers(static)
    assert made == {}
    (diagnostic,) = diagnostics
    assert (diagnostic.severity, diagnostic.key) == ("error", "providers.none")


def test_snapshots_are_plain_json() -> None:
    json.dumps(snapshot_of(build_runtime(STATIC, {"file": configuration()}), 1))
