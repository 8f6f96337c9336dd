"""Health checks against servers on real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgerouter.config.dynamic.http import ServerHealthCheck, ServersTransport
from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control import health
from edgerouter.control.health import ByService, Check, HealthChecks, Prober, checks_of
from edgerouter.control.runtime import build_runtime
from edgerouter.proxy.upstream.pool import Pools
from tests.support.authority import Authority
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

    def __init__(self, *, as_traefik: bool = False) -> None:
        self.queue: asyncio.Queue[tuple[ByService, ByService]] = asyncio.Queue()
        self.checks = HealthChecks(lambda *told: self.queue.put_nowait(told), as_traefik=as_traefik)

    async def next(self) -> ByService:
        """Return what is down, when every first probe is over."""
        unproven: ByService = {"": frozenset()}
        while unproven:
            down, unproven = await self.both()
        return down

    async def both(self) -> tuple[ByService, ByService]:
        return await asyncio.wait_for(self.queue.get(), 10)


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
        while not told.queue.empty():
            assert (await told.both())[0] == down, "what is down stays down"
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


async def test_a_new_server_is_unproven_until_its_first_probe_is_over(told: Told) -> None:
    async with serving() as server, serving() as other:
        first, second = check(server.port), check(other.port)
        told.checks.update([first])
        assert await told.both() == ({}, {"s@file": {first.url}})
        assert await told.both() == ({}, {})
        other.status = b"500 Internal Server Error"
        told.checks.update([first, second])
        assert await told.both() == ({}, {"s@file": {second.url}})
        assert await told.both() == ({"s@file": {second.url}}, {})


async def test_new_servers_are_announced_before_their_checks_run(told: Told) -> None:
    servers = [{"url": "http://127.0.0.1:1"}]
    balancer = {"loadBalancer": {"servers": servers, "healthCheck": {"path": "/"}}}
    decoded, found = decode_mapping({"http": {"services": {"s": balancer}}}, "f.yml", "file")
    view = build_runtime(StaticConfiguration(), {"file": decoded}, found)
    told.checks.expect(view.http)
    assert await told.both() == ({}, {"s@file": {"http://127.0.0.1:1"}})
    told.checks.follow(view.http)
    assert set(await told.next()) == {"s@file"}


async def test_a_renewed_server_is_unproven_again(told: Told) -> None:
    async with serving() as server:
        made = check(server.port)
        told.checks.update([made, check(server.port, "other@file")])
        assert await told.next() == {}
        server.status = b"500 Internal Server Error"
        told.checks.renew(frozenset([made.url]))
        down, unproven = await told.both()
        while set(unproven) != {"s@file", "other@file"}:
            down, unproven = await told.both()
        assert down == {}
        assert set(await told.next()) == {"s@file", "other@file"}


async def test_a_server_that_never_passed_is_probed_again_soon(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.01)
    async with serving() as server:
        server.status = b"503 Service Unavailable"
        told.checks.update([check(server.port, unhealthy_interval=3600.0)])
        assert await told.next() != {}
        server.status = b"200 OK"
        assert await told.next() == {}


async def test_as_traefik_the_first_probe_comes_after_one_interval() -> None:
    told = Told(as_traefik=True)
    async with serving() as server:
        server.status = b"500 Internal Server Error"
        told.checks.update([check(server.port, interval=3600.0)])
        await asyncio.sleep(0.05)
        assert (server.heads, told.queue.empty()) == ([], True)
        told.checks.update([made := check(server.port, interval=0.01)])
        assert await told.both() == ({"s@file": {made.url}}, {})
    await told.checks.close()


async def test_servers_that_hang_hold_up_no_others(told: Told) -> None:
    """More of them than there are places for probes."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with upstream(hang) as port, serving() as server:
        checks = [check(port, f"s{n}@file", timeout=60.0) for n in range(health.AT_ONCE + 6)]
        told.checks.update([*checks, last := check(server.port, "last@file")])
        _, unproven = await told.both()
        assert len(unproven) == len(checks) + 1
        while last.service in unproven:
            _, unproven = await told.both()
        assert len(unproven) == len(checks), "the others are still being probed"


async def test_probes_of_a_server_do_not_overlap(told: Told) -> None:
    under_way = most = count = 0
    enough = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most, count
        under_way, count = under_way + 1, count + 1
        most = max(most, under_way)
        await reader.read()
        under_way -= 1
        if count == 3:
            enough.set()

    async with upstream(hang) as port:
        told.checks.update([check(port, timeout=0.05, unhealthy_interval=0.001)])
        await asyncio.wait_for(enough.wait(), 10)
    assert most == 1


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


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a b/é?q=a b", "/a%20b/%C3%A9?q=a%20b"),
        ("/a%20b;c=d/(e)?f=/g?", "/a%20b;c=d/(e)?f=/g?"),
        ("up", "/up"),
        ("", "/base"),
    ],
)
async def test_paths(path: str, target: str) -> None:
    async with serving() as server:
        assert await probe(server.port, path=path) == ""
        assert server.heads[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())


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


async def test_a_server_that_drips_is_down_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with upstream(serve) as port:
        assert await probe(port, timeout=0.2) == "no answer within 0.2 s"


async def test_time_counts_over_all_redirects() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_head(reader)
            await asyncio.sleep(0.06)
            writer.write(answer(b"", b"Location: /again", status=b"302 Found"))

    async with upstream(serve) as port:
        assert await probe(port, timeout=0.2) == "no answer within 0.2 s"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_that_the_server_has_closed_is_no_failure(method: str) -> None:
    methods = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods.append((await read_head(reader)).partition(b" ")[0].decode())
        writer.write(answer(b"ok"))
        await read_head(reader)
        writer.close()

    pools = Pools()
    async with upstream(serve) as port:
        prober = Prober(check(port, method=method), pools)
        assert [await prober.probe() for _ in range(3)] == ["", "", ""]
    assert methods == [method] * 3
    pools.close()


async def test_another_scheme(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    made = Server()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    pools = Pools()
    plain = check(port, scheme="https")
    careless = ServersTransport.model_validate({"insecureSkipVerify": True})
    assert "is not trusted" in await Prober(plain, pools).probe()
    assert await Prober(replace(plain, transport=careless), pools).probe() == ""
    assert made.heads[0].startswith(b"GET /health HTTP/1.1\r\n")
    pools.close()
    server.close()


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({"headers": {"Host": "a.test"}}, b"a.test"),
        ({"headers": {"host": "a.test"}, "hostname": "b.test"}, b"b.test"),
    ],
)
async def test_a_host_among_the_headers(options: dict[str, Any], host: bytes) -> None:
    async with serving() as server:
        assert await probe(server.port, **options) == ""
        (head,) = server.heads
    assert [line for line in head.split(b"\r\n") if line.lower().startswith(b"host:")] == [
        b"Host: " + host
    ]


async def test_a_mistake_of_ours_is_no_end_of_a_check() -> None:
    class Odd(Prober):
        async def _status(self) -> int:
            raise RuntimeError("odd")

    pools = Pools()
    assert "odd" in await Odd(check(1), pools).probe()
    pools.close()


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
