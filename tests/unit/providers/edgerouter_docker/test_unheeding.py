"""Containers that were told to end and go on answering."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import edgerouter_docker.unheeding
from edgerouter_docker import DockerProvider
from edgerouter_docker.options import Options
from edgerouter_docker.unheeding import answers
from tests.support.authority import Authority
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.recording_context import RecordingContext, running
from tests.support.router_process import free_ports

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def listening(
    answer: bytes, port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server that answers with these bytes; with none it keeps silent."""

    under_way = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(asyncio.current_task())
        with suppress(ConnectionError):
            head = await reader.read(1000)
            if head and not answer:
                await reader.read()
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*[task for task in under_way if task is not None])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, True),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", False),
        (b"HTTP", False),
        (b"", False),
    ],
)
async def test_who_answers(answer: bytes, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgerouter_docker.unheeding, "ATTEMPT", 0.2)
    async with listening(answer) as port:
        assert await answers(f"http://127.0.0.1:{port}") is expected


async def test_whose_certificate_it_is_does_not_matter(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("app.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with listening(OK, context=context) as port:
        assert await answers(f"https://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{closed}", "http://:80", "http://a:99999", "h2c://a", "http://a..b"]
)
async def test_what_is_no_server(url: str) -> None:
    (closed,) = free_ports(1)
    assert not await answers(url.format(closed=closed))


def local(port: int, stop_timeout: float = 60) -> dict[str, Any]:
    label = {"traefik.http.services.api.loadbalancer.server.port": str(port)}
    data = container_data("api", "127.0.0.1", **label)
    return {**data, "Config": {**data["Config"], "StopTimeout": stop_timeout}}


def backup(context: RecordingContext) -> bool | None:
    balancer = context.newest.configuration.http.services["api"].load_balancer
    assert balancer is not None
    return balancer.servers[0].backup


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDocker]:
    async with FakeDocker(tmp_path / "docker.sock").serving() as daemon:
        yield daemon


@pytest.fixture
def provider(daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> Callable[[], DockerProvider]:
    monkeypatch.setattr(edgerouter_docker.unheeding, "PAUSE", 0.1)
    given = {"endpoint": daemon.endpoint, "allowEmptyServices": True}
    return lambda: DockerProvider("docker", Options.model_validate(given))


async def test_it_is_asked_again_until_it_is_killed(
    daemon: FakeDocker, provider: Callable[[], DockerProvider]
) -> None:
    async with listening(OK) as port, running(provider()) as context:
        url = f"http://127.0.0.1:{port}"
        daemon.add(local(port))
        daemon.emit("start", "api")
        await context.until(lambda c: c.newest.servers("api") == [url])
        daemon.emit("kill", "api", signal="15")
        await context.until(lambda c: c.fenced == {url})
        await context.until(lambda c: not c.fenced)
        assert backup(context), "only where nobody else can be asked"
        daemon.emit("kill", "api", signal="9")
        await context.until(lambda c: c.fenced == {url})
        daemon.containers[f"{'api':0>64}"]["State"] = {"Status": "exited"}
        daemon.emit("die", "api")
        await context.until(lambda c: not c.newest.servers("api"))
        daemon.containers[f"{'api':0>64}"]["State"] = {"Status": "running", "StartedAt": "2"}
        daemon.emit("start", "api")
        await context.until(lambda c: c.newest.servers("api") and not c.fenced)
        assert backup(context) is None


async def test_who_lives_on_was_not_told_to_end(
    daemon: FakeDocker,
    provider: Callable[[], DockerProvider],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edgerouter_docker.unheeding, "KILL_MARGIN", 0.1)
    async with listening(OK) as port, running(provider()) as context:
        daemon.add(local(port, stop_timeout=0))
        daemon.emit("start", "api")
        await context.until(lambda c: c.newest.servers("api"))
        daemon.emit("kill", "api", signal="15")
        await context.until(backup)
        await context.until(lambda c: not backup(c))
        assert not context.fenced


async def test_who_stops_answering_stays_fenced(
    daemon: FakeDocker, provider: Callable[[], DockerProvider]
) -> None:
    async with running(provider()) as context:
        async with listening(OK) as port:
            daemon.add(local(port))
            daemon.emit("start", "api")
            await context.until(lambda c: c.newest.servers("api"))
            daemon.emit("kill", "api", signal="15")
            await context.until(lambda c: c.fenced)
        await until_looked_at()
        assert context.fenced == {f"http://127.0.0.1:{port}"}
        assert backup(context) is None


async def until_looked_at() -> None:
    looks = [task for task in asyncio.all_tasks() if task.get_name() == "the end of api"]
    await asyncio.gather(*looks)
