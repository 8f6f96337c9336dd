"""Health checks against servers on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.config.dynamic.http import ServerHealthCheck, ServersTransport
from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.health import Check, Down, HealthChecks, Prober, checks_of
from edgerouter.control.runtime import build_runtime
from edgerouter.proxy.upstream.pool import Pools
from tests.support.data_plane import answer, read_head, upstream


class Server:
    """Answers with ``status``; remembers the heads of probes."""

    def __init__(self) -> None:
        self.status = b"200 OK"
        self.fields: tuple[bytes, ...] = ()
        self.heads: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.heads.append(await read_head(reader))
            writer.write(answer(b"ok", *self.fields, status=self.status))


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    async with upstream(server.serve) as port:
        server.port = port
        yield server


class Told:
    """What a ``HealthChecks`` has told, one after the other."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Down] = asyncio.Queue()
        self.checks = HealthChecks(self.queue.put_nowait)

    async def next(self) -> Down:
        return await asyncio.wait_for(self.queue.get(), 5)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    made = Told()
    yield made
    await made.checks.close()


def check(server_port: int, service: str = "s@file", **options: Any) -> Check:
    given = {"path": "/health", "interval": 30.0, "unhealthy_interval": 0.02, **options}
    url = f"http://127.0.0.1:{server_port}/base"
    return Check(service, url, ServerHealthCheck(**given), ServersTransport())


async def probe(server_port: int, **options: Any) -> str:
    pools = Pools()
    try:
        return await Prober(check(server_port, **options), pools).probe()
    finally:
        pools.close()
        await asyncio.sleep(0)


async def test_a_server_is_probed_at_once_and_again(told: Told) -> None:
    async with serving() as server:
        server.status = b"500 Internal Server Error"
        told.checks.update([check(server.port)])
        assert await told.next() == {"s@file": {f"http://127.0.0.1:{server.port}/base"}}
        server.status = b"200 OK"
        assert await told.next() == {}


async def test_checks_that_stay_are_not_restarted(told: Told) -> None:
    async with serving() as server, serving() as other:
        server.status = b"503 Service Unavailable"
        slow = check(server.port, unhealthy_interval=60.0)
        told.checks.update([slow])
        down = await told.next()
        for _ in range(100):
            told.checks.update([slow, check(other.port)])
            told.checks.update([slow])
        await asyncio.sleep(0.05)
        assert told.queue.empty(), "what is down stays down"
        assert len(server.heads) == 1
        told.checks.update([])
        assert await told.next() == {} != down


async def test_changed_options_are_obeyed_at_once(told: Told) -> None:
    async with serving() as server:
        server.status = b"404 Not Found"
        told.checks.update([check(server.port)])
        assert await told.next() != {}
        told.checks.update([check(server.port, status=404)])
        assert await told.next() == {}


async def test_services_are_told_apart(told: Told) -> None:
    async with serving() as server:
        one = check(server.port, "one@file", status=200)
        other = check(server.port, "other@file", status=204, unhealthy_interval=60.0)
        told.checks.update([one, other])
        assert set(await told.next()) == {"other@file"}


async def test_what_a_probe_says() -> None:
    async with serving() as server:
        options = {
            "method": "HEAD",
            "path": "/up?deep=1",
            "hostname": "shop.test",
            "headers": {"X-Probe": "1", "user-agent": "me"},
        }
        # A HEAD has no body, whatever the length says.
        assert await probe(server.port, **options) == ""
        head = server.heads[0].decode()
    assert head.startswith("HEAD /up?deep=1 HTTP/1.1\r\nHost: shop.test\r\n")
    assert "\r\nX-Probe: 1\r\n" in head
    assert "\r\nuser-agent: me\r\n" in head
    assert "X-Forwarded-For" not in head


async def test_another_port() -> None:
    async with serving() as server:
        assert await probe(1, port=server.port) == ""
        assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in server.heads[0]


@pytest.mark.parametrize(
    ("status", "wanted", "reason"),
    [
        (b"204 No Content", 0, ""),
        (b"399 Odd", 0, ""),
        (b"404 Not Found", 0, "it answered 404"),
        (b"200 OK", 204, "it answered 200, not 204"),
        (b"404 Not Found", 404, ""),
    ],
)
async def test_which_answers_are_healthy(status: bytes, wanted: int, reason: str) -> None:
    async with serving() as server:
        server.status = status
        assert await probe(server.port, status=wanted) == reason


async def test_redirects() -> None:
    async with serving() as end, serving() as begin:
        begin.status = b"302 Found"
        begin.fields = (b"Location: http://127.0.0.1:%d/there" % end.port,)
        end.status = b"500 Internal Server Error"
        assert await probe(begin.port) == "it answered 500"
        assert end.heads[0].startswith(b"GET /there HTTP/1.1\r\n")
        assert await probe(begin.port, follow_redirects=False) == ""
        begin.fields = (b"Location: /health",)
        assert "more than 10 times" in await probe(begin.port)


async def test_a_silent_server_is_down_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with upstream(serve) as port:
        assert await probe(port, timeout=0.05) == "no answer within 0.05 s"


async def test_a_closed_port_is_down() -> None:
    async with serving() as server:
        port = server.port
    assert "no connection to the server" in await probe(port)


def test_which_servers_are_checked() -> None:
    servers = [{"url": "http://a"}, {"url": "http://b", "down": True}, {"url": "nonsense"}]
    services = {
        "checked": {"loadBalancer": {"servers": servers, "healthCheck": {"path": "/"}}},
        "unchecked": {"loadBalancer": {"servers": servers}},
        "broken": {"loadBalancer": {"healthCheck": {"mode": "grpc"}, "servers": servers}},
    }
    decoded, found = decode_mapping({"http": {"services": services}}, "f.yml", "file")
    view = build_runtime(StaticConfiguration(), {"file": decoded}, found)
    assert [made.key for made in checks_of(view.http)] == [("checked@file", "http://a")]
