"""Faults and storms, with a daemon that can be made to show them."""

import asyncio
import json
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import edgerouter_docker.calls
import edgerouter_docker.fence
import edgerouter_docker.session
from edgerouter.provider import ProviderUnavailable
from edgerouter_docker import DockerProvider
from edgerouter_docker.options import Options
from tests.support.authority import Authority
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.recording_context import RecordingContext, running

API = "http://10.0.0.2:80"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDocker]:
    async with FakeDocker(tmp_path / "docker.sock").serving() as daemon:
        daemon.add(container_data("api"))
        yield daemon


def provider(daemon: FakeDocker, **options: Any) -> DockerProvider:
    return DockerProvider(
        "docker", Options.model_validate({"endpoint": daemon.endpoint, **options})
    )


async def error_500() -> web.Response:
    return web.json_response({"message": "out of order"}, status=500)


async def test_first_failure_is_told_and_publishes_nothing(daemon: FakeDocker) -> None:
    daemon.faults["list"] = error_500
    context = RecordingContext()
    with pytest.raises(ProviderUnavailable, match="the engine answered 500: out of order"):
        await provider(daemon).run(context)
    assert context.publications == []


async def test_blind_publishes_nothing_then_catches_up(daemon: FakeDocker) -> None:
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api") == [API])
        daemon.faults["list"] = error_500
        daemon.drop_streams()
        tried = asyncio.Event()

        async def fail() -> web.Response:
            if daemon.calls["list"] > 3:
                tried.set()
            return await error_500()

        daemon.faults["list"] = fail
        await tried.wait()
        assert len(context.publications) == 1
        daemon.add(container_data("late", "10.0.0.3"))
        daemon.faults.clear()
        said = await context.until(lambda c: c.newest.servers("late"))
        assert said.servers("api") == [API]


async def test_a_lost_engine_is_told_after_a_while(
    daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgerouter_docker.provider.PATIENCE", 0.5)
    docker = provider(daemon)
    context = RecordingContext()
    task = asyncio.create_task(docker.run(context))
    await context.until(lambda c: c.newest.servers("api"))
    daemon.faults["version"] = error_500
    daemon.drop_streams()
    await context.until(lambda c: c.troubles)
    assert "the stream of events ended" in context.troubles[0]
    with pytest.raises(ProviderUnavailable):
        await asyncio.wait_for(task, 10)
    assert len(context.publications) == 1
    assert len(context.troubles) > 2
    out_of_sight = [text for text in caplog.messages if "out of sight" in text]
    assert len(out_of_sight) == len(set(context.troubles)) == 2  # Each reason once.


async def test_one_odd_container_spoils_nothing(daemon: FakeDocker) -> None:
    daemon.add(container_data("odd", "10.0.0.3"))
    odd = daemon.containers[f"{'odd':0>64}"]
    good = dict(odd)
    for broken in ({"Id": "x"}, {**odd, "NetworkSettings": {"Networks": ["?"]}}):
        odd.clear()
        odd.update(broken)
        row = {**container_data("odd"), "Id": f"{'odd':0>64}"}
        daemon.faults["list"] = lambda row=row: _rows([container_data("api"), row])
        async with running(provider(daemon)) as context:
            said = await context.until(lambda c: c.newest.servers("api"))
            assert "the container cannot be inspected, it is left out" in said.texts()
            odd.clear()
            odd.update(good)
            daemon.emit("update", "odd")
            said = await context.until(lambda c: c.newest.servers("odd"))
            assert said.diagnostics == ()
            odd["Name"] = 5
            daemon.emit("update", "odd")
            said = await context.until(lambda c: c.newest.diagnostics)
            assert said.servers("odd") == ["http://10.0.0.3:80"]
            assert "container odd: the container cannot be inspected, its last" in said.texts()


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999", "http://a..b:80"])
async def test_a_server_that_nobody_can_ask_spoils_nothing(daemon: FakeDocker, url: str) -> None:
    label = "traefik.http.services.odd.loadbalancer.server.url"
    async with running(provider(daemon, portWait=0.1)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(container_data("odd", "10.0.0.3", **{label: url}))
        daemon.emit("start", "odd")
        await context.until(lambda c: c.newest.servers("odd") == [url])
        daemon.send(_left_network("odd"))
        daemon.add(container_data("late", "127.0.0.1"))
        daemon.emit("start", "late")
        await context.until(lambda c: c.newest.servers("late"))
        assert not context.troubles


def _left_network(name: str) -> bytes:
    attributes = {"container": f"{name:0>64}"}
    actor = {"ID": "id-web", "Attributes": attributes}
    return json.dumps({"Type": "network", "Action": "disconnect", "Actor": actor}).encode()


async def test_an_odd_row_is_inspected(daemon: FakeDocker) -> None:
    rows = [{"Id": f"{'api':0>64}", "Names": 5, "NetworkSettings": "?"}]

    async def odd() -> web.Response:
        return web.json_response(rows)

    daemon.faults["list"] = odd
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))


async def _rows(inspections: list[dict[str, Any]]) -> web.Response:
    rows = [{"Id": data["Id"], "Names": [data["Name"]], "State": "running"} for data in inspections]
    return web.json_response(rows)


@pytest.mark.parametrize("answer", ["<html>not Docker</html>", "{}", '["x"]', "null"])
async def test_an_answer_that_is_no_engines(daemon: FakeDocker, answer: str) -> None:
    async def garbage() -> web.Response:
        return web.Response(text=answer, content_type="application/json")

    daemon.faults["list"] = garbage
    context = RecordingContext()
    with pytest.raises(ProviderUnavailable):
        await provider(daemon).run(context)
    assert context.publications == []


async def test_garbage_in_the_stream_means_starting_again(daemon: FakeDocker) -> None:
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(container_data("late", "10.0.0.3"))
        daemon.send(b'{"Type": "container", "Action": ["?"], "Actor": "?"}')
        await context.until(lambda c: c.newest.servers("late"))
        assert daemon.calls["events"] == 2


async def test_only_what_an_event_names_is_inspected(daemon: FakeDocker) -> None:
    daemon.add(*(container_data(f"c{n}", f"10.0.1.{n}") for n in range(1, 101)))
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("c100"))
        daemon.inspected.clear()
        lists = daemon.calls["list"]
        daemon.add(container_data("c7", "10.0.2.7"))
        daemon.emit("connect", "c7")
        await context.until(lambda c: c.newest.servers("c7") == ["http://10.0.2.7:80"])
        assert daemon.inspected == {"c7": 1}
        assert daemon.calls["list"] == lists


async def test_a_burst_becomes_few_publications(daemon: FakeDocker) -> None:
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        entered, leave = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            entered.set()
            await leave.wait()

        daemon.faults["inspect"] = hold
        before = daemon.inspected["api"]
        daemon.emit("update", "api")
        await entered.wait()
        for n in range(200):
            daemon.add(container_data("api", f"10.0.3.{n}"))
            daemon.emit("update", "api")
        daemon.faults.clear()
        leave.set()
        await context.until(lambda c: c.newest.servers("api") == ["http://10.0.3.199:80"])
        # The one that was held, and at most a few for the two hundred.
        assert daemon.inspected["api"] - before < 20


async def test_an_event_while_listing_is_not_lost(daemon: FakeDocker) -> None:
    async def late() -> web.Response:
        del daemon.faults["list"]
        answer = await _rows([container_data("api")])
        daemon.add(container_data("late", "10.0.0.3"))
        daemon.emit("start", "late")
        return answer

    daemon.faults["list"] = late
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("late"))


async def test_what_no_event_told_is_found(
    daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgerouter_docker.session, "RECONCILE_INTERVAL", 0.1)
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(container_data("api", "10.9.9.9"))
        await context.until(lambda c: c.newest.servers("api") == ["http://10.9.9.9:80"])
        inspections = daemon.inspected["api"]
        lists = daemon.calls["list"]
        del daemon.containers[f"{'api':0>64}"]
        await context.until(lambda c: c.newest.rules == {})
        daemon.add(container_data("x"))
        await context.until(lambda c: c.newest.servers("x"))
        assert daemon.calls["list"] > lists
        # Gone: one look; while nothing changed there was none.
        assert daemon.inspected["api"] == inspections + 1


async def test_a_killed_container_that_lives_on(
    daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgerouter_docker.fence, "KILL_MARGIN", 0.2)
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.emit("kill", "api", signal="1")
        daemon.emit("kill", "api", signal="15")
        await context.until(lambda c: c.fenced == {API})
        began = time.monotonic()
        await context.until(lambda c: not c.fenced)
        assert 0.1 < time.monotonic() - began < 2
        assert [urls for urls, _ in context.fences] == [{API}, frozenset()]
        assert len(context.publications) == 1


async def test_a_reused_address_is_let_in(daemon: FakeDocker) -> None:
    """Compose gives the new container the address of the old one."""
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        del daemon.containers[f"{'api':0>64}"]
        daemon.emit("die", "api")
        daemon.emit("destroy", "api")
        await context.until(lambda c: c.fenced == {API} and c.newest.rules == {})
        daemon.add(container_data("next"))
        daemon.emit("start", "next")
        await context.until(lambda c: c.newest.servers("next") == [API] and not c.fenced)


async def test_an_engine_that_hangs_does_not_hold_up_the_end(
    daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgerouter_docker.calls, "JOIN_TIMEOUT", 0.1)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        entered.set()
        await leave.wait()

    daemon.faults["list"] = hang
    context = RecordingContext()
    task = asyncio.create_task(provider(daemon).run(context))
    await entered.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 2
    leave.set()
    for thread in threading.enumerate():
        if thread.name.startswith("docker-"):
            await asyncio.to_thread(thread.join, 5)


async def test_podman(daemon: FakeDocker) -> None:
    daemon.version["Components"] = [{"Name": "Podman Engine", "Version": "5.0"}]
    api = daemon.containers[f"{'api':0>64}"]
    api["State"]["Health"] = {"Status": "", "FailingStreak": 0, "Log": None}
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))


async def test_requests(daemon: FakeDocker) -> None:
    options = {"username": "me", "password": "secret"}
    async with running(provider(daemon, **options)) as context:
        await context.until(lambda c: c.publications)
    (events,) = [request for request in daemon.requests if request.path.endswith("/events")]
    assert events.path == "/v1.51/events"
    assert int(events.query["since"]) <= time.time()
    assert "exec" not in events.query["filters"]
    assert "health_status" in events.query["filters"]
    assert all(request.method == "GET" for request in daemon.requests)
    assert events.headers["Authorization"] == "Basic bWU6c2VjcmV0"


async def test_tcp(daemon: FakeDocker) -> None:
    async with running(provider(daemon, endpoint=daemon.tcp_endpoint)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(container_data("late", "10.0.0.3"))
        daemon.emit("start", "late")
        await context.until(lambda c: c.newest.servers("late"))


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    """Certificates are given as files or as text; a certificate nobody trusts is refused."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    await asyncio.to_thread(_make_certificate, certificate, key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.load_verify_locations(certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    files = {"ca": str(certificate), "cert": str(certificate), "key": str(key)}
    texts = {"ca": certificate.read_text(), "cert": certificate.read_text(), "key": key.read_text()}
    async with FakeDocker(tmp_path / "docker.sock").serving(server) as daemon:
        daemon.add(container_data("api"))
        for tls in (files, texts, {**files, "ca": "", "insecureSkipVerify": True}):
            options = {"endpoint": daemon.tcp_endpoint, "tls": tls}
            async with running(provider(daemon, **options)) as context:
                await context.until(lambda c: c.newest.servers("api"))
        for tls, message in (
            ({**files, "ca": ""}, "CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
            (
                {**files, "cert": "", "key": ""},
                "closed connection|certificate required|EOF|reset|alert",
            ),
            ({**files, "ca": "/nowhere.pem"}, "ca|CA"),
        ):
            with pytest.raises(ProviderUnavailable, match=message):
                await provider(daemon, endpoint=daemon.tcp_endpoint, tls=tls).run(
                    RecordingContext()
                )


async def test_tls_with_a_private_authority(tmp_path: Path) -> None:
    """It has no ``keyUsage``, as most that people make by hand; Python 3.13 would mind."""
    authority = Authority(tmp_path)
    pair = authority.issue("127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    async with FakeDocker(tmp_path / "docker.sock").serving(server) as daemon:
        daemon.add(container_data("api"))
        options = {"endpoint": daemon.tcp_endpoint, "tls": {"ca": str(authority.certificate)}}
        async with running(provider(daemon, **options)) as context:
            await context.until(lambda c: c.newest.servers("api"))


def _make_certificate(certificate: Path, key: Path) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    names = ("-subj", "/CN=docker", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *names, *files], check=True, capture_output=True
    )
