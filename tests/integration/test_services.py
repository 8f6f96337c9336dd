"""Services of a running edgerouter while its configuration changes."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.authority import Authority
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.recording_upstream import RecordingUpstream
from tests.support.router_process import RouterProcess, free_ports

FLAGS = {"providers.providersThrottleDuration": "10ms", "edgerouter.workers": "2"}


def configuration(
    urls: list[str], transport: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    balancer = {"servers": [{"url": url} for url in urls], **options}
    http: dict[str, Any] = {
        "routers": {"app": {"rule": "Host(`localhost`)", "service": "app"}},
        "services": {"app": {"loadBalancer": balancer}},
    }
    if transport is not None:
        balancer["serversTransport"] = "t"
        http["serversTransports"] = {"t": transport}
    return {"http": http}


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as made:
        yield made


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_requests_wait_for_a_server(tmp_path: Path, upstream: RecordingUpstream) -> None:
    (closed,) = free_ports(1)
    options = {"tryDuration": "15s"}
    with edgerouter(tmp_path, ["web"], FLAGS, configuration([], **options)) as router:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(ask(router.ports["web"]).status))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        router.apply(configuration([url(closed)], **options))
        assert statuses == []
        router.apply(configuration([url(upstream.port)], **options))
        for thread in threads:
            thread.join(10)
    assert statuses == [200] * 8


def _status(router: RouterProcess) -> dict[str, str]:
    found: dict[str, str] = router.get("/api/http/services/app@file")["serverStatus"]
    return found


def test_health_outlives_reloads(tmp_path: Path, upstream: RecordingUpstream) -> None:
    (closed,) = free_ports(1)
    servers = [url(upstream.port), url(closed)]
    check = {"path": "/health", "interval": "60s"}
    first = configuration(servers, healthCheck=check)
    with edgerouter(tmp_path, ["web"], FLAGS, first) as router:
        known = {servers[0]: "UP", servers[1]: "DOWN"}
        eventually(lambda: _status(router), known.__eq__)
        for number in range(20):
            changed = configuration(servers, healthCheck=check, maxWaiting=number)
            changed["http"]["routers"][f"r{number}"] = {"rule": "Host(`x`)", "service": "app"}
            router.apply(changed)
            assert _status(router) == known
        assert {ask(router.ports["web"]).status for _ in range(10)} == {200}
    probes = [seen for seen in upstream.take() if "/health" in seen.line]
    assert len(probes) == 1, "a check goes on over every reload, for all workers together"


def test_a_new_server_gets_nothing_before_its_first_probe(
    tmp_path: Path, upstream: RecordingUpstream
) -> None:
    """One that accepts connections and never answers: whoever asked it would wait."""
    old, check = url(upstream.port), {"path": "/health", "interval": "60s", "timeout": "60s"}
    first = configuration([old], healthCheck=check)
    with (
        edgerouter(tmp_path, ["web"], FLAGS, first) as router,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        eventually(lambda: [seen.line for seen in upstream.take()], bool)
        new = url(silent.getsockname()[1])
        router.apply(configuration([old, new], healthCheck=check))
        assert {ask(router.ports["web"]).status for _ in range(40)} == {200}
        assert _status(router) == {old: "UP", new: "UP"}
        silent.settimeout(10)
        connection, _ = silent.accept()
        with connection:
            assert b"/health" in connection.recv(1000), "the probe is all that has come"
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


def version(router: RouterProcess) -> int:
    """Return how many snapshots there were."""
    found: int = router.get("/api/overview")["edgerouter"]["version"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_thousand_reloads_leave_untouched_services_alone(
    tmp_path: Path, upstream: RecordingUpstream
) -> None:
    (closed,) = free_ports(1)
    servers = [url(upstream.port), url(closed)]
    check = {"path": "/health", "interval": "120s"}
    flags = FLAGS | {"providers.providersThrottleDuration": "1ms"}
    content = configuration(servers, healthCheck=check)
    with edgerouter(tmp_path, ["web"], flags, content) as router:
        known = {servers[0]: "UP", servers[1]: "DOWN"}
        eventually(lambda: _status(router), known.__eq__)
        for number in range(1000):
            content["http"]["routers"]["other"] = {"rule": f"Host(`h{number}`)", "service": "other"}
            other = {"loadBalancer": {"servers": [{"url": url(closed)}], "maxWaiting": number}}
            content["http"]["services"]["other"] = other
            before = version(router)
            router.write(content)
            eventually(lambda: version(router), before.__ne__)
        router.apply(content)
        assert _status(router) == known
        assert {ask(router.ports["web"]).status for _ in range(10)} == {200}
    probes = [seen for seen in upstream.take() if "/health" in seen.line]
    assert len(probes) == 1


def test_clients_that_are_trusted_see_why_there_is_no_server(tmp_path: Path) -> None:
    (closed,) = free_ports(1)
    down = configuration([url(closed)], healthCheck={"path": "/", "interval": "200ms"})
    reason = "the service app@file has no server that can be asked: 1 down (health check)"
    flags = FLAGS | {"api.insecure": "true"}
    for name, more, shown in (
        ("own", {}, reason),
        ("compatible", {"edgerouter.compat": "traefik"}, None),
    ):
        with edgerouter(tmp_path / name, ["web"], flags | more, down) as router:
            eventually(lambda: ask(router.ports["web"]).status, (503).__eq__)
            answers = [ask(router.ports["web"]) for _ in range(20)]
            assert {answer.headers.get("x-edgerouter-reason") for answer in answers} == {shown}
            assert {answer.headers.get("retry-after") for answer in answers} == {shown and "5"}
            lines = router.log.read_text().count("No server can be asked")
        assert 1 <= lines <= 2, "once for each worker"


def test_a_new_authority_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    file = tmp_path / "ca.pem"
    file.write_text(Authority(tmp_path, "Stranger").certificate.read_text())
    transport = {"rootCAs": [str(file)]}
    with EchoServer(["secure"], {"secure": context}) as echo:
        secure = f"https://127.0.0.1:{echo.ports['secure']}"
        content = configuration([secure], transport)
        with edgerouter(tmp_path / "router", ["web"], FLAGS, content) as router:
            assert ask(router.ports["web"]).status == 502
            assert "is not trusted" in router.log.read_text()
            file.write_text(authority.certificate.read_text())
            router.apply(content)
            assert ask(router.ports["web"]).status == 200


def test_weight_and_children_of_a_service_change(
    tmp_path: Path, upstream: RecordingUpstream
) -> None:
    def content(weight: int) -> dict[str, Any]:
        made = configuration([url(upstream.port)])
        made["http"]["services"]["both"] = {
            "weighted": {
                "services": [{"name": "app", "weight": weight}, {"name": "none", "weight": 1}]
            }
        }
        made["http"]["services"]["none"] = {"loadBalancer": {"servers": []}}
        made["http"]["routers"]["app"]["service"] = "both"
        return made

    with edgerouter(tmp_path, ["web"], {**FLAGS, "edgerouter.workers": "1"}, content(1)) as router:
        port = router.ports["web"]
        assert sorted(ask(port).status for _ in range(4)) == [200, 200, 503, 503]
        router.apply(content(3))
        assert sorted(ask(port).status for _ in range(4)) == [200, 200, 200, 503]
