"""Services: edgerouter against the real Traefik, with the same servers."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.oracle.config_services import ECHO, Setting
from tests.support import eventually
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange
from tests.support.recording_upstream import RecordingUpstream, Seen
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

Router = Callable[..., Answer]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def echo(setting: Setting) -> Iterator[EchoServer]:
    with EchoServer(ECHO, setting.contexts()) as server:
        yield server


@pytest.fixture(scope="module")
def recorder() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def configuration(
    setting: Setting, echo: EchoServer, recorder: RecordingUpstream
) -> dict[str, Any]:
    return setting.dynamic(echo.ports, recorder.port)


@pytest.fixture(scope="module")
def theirs(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("traefik")
    with traefik(directory, ["web"], {}, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def ours(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("edgerouter")
    # One worker: shares, cookies and counts are exact per worker.
    with edgerouter(directory, ["web"], {"edgerouter.workers": "1"}, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def compatible(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("compatible")
    flags = {"edgerouter.workers": "1", "edgerouter.compat": "traefik"}
    with edgerouter(directory, ["web"], flags, configuration) as process:
        yield process


@pytest.fixture(params=["theirs", "ours"])
def router(request: pytest.FixtureRequest) -> RouterProcess:
    process: RouterProcess = request.getfixturevalue(request.param)
    return process


def soon(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds."""
    eventually.eventually(condition, bool)


def ask(
    process: RouterProcess, service: str, *fields: str, body: bytes = b"", path: str = "/"
) -> Answer:
    """Send one request to ``<service>.test``."""
    method = "POST" if body else "GET"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {service}.test", "Connection: close", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return exchange(process.ports["web"], head + body, method=method)[0]


def server(answer: Answer) -> str:
    """Return the name of the echo server that answered, or the status and text."""
    if answer.get("content-type") != "application/x-echo":
        return f"{answer.status} {answer.body.decode().strip()}"
    return str(json.loads(answer.body)["server"])


def orders(**order: Any) -> str:
    """Return the field that tells the echo server how to answer."""
    return f"X-Echo: {json.dumps(order)}"


def names(process: RouterProcess, service: str, count: int) -> Counter[str]:
    return Counter(server(ask(process, service)) for _ in range(count))


# Servers over TLS


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("secure", "secure"),
        ("secure-named", "secure"),
        ("secure-blind", "stranger"),
        ("secure-uri", "secure"),
        ("secure-old", "secure"),
        ("mutual", "mutual"),
    ],
)
def test_https_servers(router: RouterProcess, service: str, expected: str) -> None:
    assert server(ask(router, service)) == expected


def test_what_an_https_server_receives(theirs: RouterProcess, ours: RouterProcess) -> None:
    seen = []
    for process in (theirs, ours):
        facts = json.loads(ask(process, "secure", "Accept-Encoding: x", body=b"abc").body)
        found = {name.lower(): value for name, value in facts["headers"]}
        seen.append((facts["line"], found["host"], found["x-forwarded-proto"], facts["body"]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("service", "word"),
    [
        ("untrusted", "rootCAs"),
        ("untrusted-default", "rootCAs"),
        ("secure-misnamed", "serverName"),
        ("secure-other-uri", "peerCertURI"),
    ],
)
def test_servers_that_are_not_trusted(
    theirs: RouterProcess,
    ours: RouterProcess,
    compatible: RouterProcess,
    service: str,
    word: str,
) -> None:
    real, same = ask(theirs, service), ask(compatible, service)
    assert (real.status, real.body) == (same.status, same.body) == (500, b"Internal Server Error")
    assert ask(ours, service).status == 502
    soon(lambda: word in ours.log.read_text())


def test_websockets_over_tls(router: RouterProcess) -> None:
    head = (
        b"GET / HTTP/1.1\r\nHost: secure.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"X-Echo: " + json.dumps({"upgrade": "websocket"}).encode() + b"\r\n\r\n"
    )
    (answer,) = exchange(router.ports["web"], head, method="GET", tunnel=b"hello")
    assert (answer.status, answer.tunnel) == (101, b"hello")


# Strategies


@pytest.mark.parametrize("service", ["hrw", "hrw-weighted", "random-weight"])
def test_the_same_client_gets_the_same_server(
    theirs: RouterProcess, ours: RouterProcess, service: str
) -> None:
    addresses = [f"127.0.0.{number}" for number in range(1, 40)]
    chosen = [
        [_from(address, process.ports["web"], service) for address in addresses]
        for process in (theirs, ours)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) > 1


def _from(address: str, port: int, service: str) -> str:
    head = f"GET / HTTP/1.1\r\nHost: {service}.test\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 5, (address, 0)) as connection:
        connection.sendall(head)
        data = b""
        while received := connection.recv(65536):
            data += received
    return str(json.loads(data.partition(b"\r\n\r\n")[2])["server"])


@pytest.mark.parametrize("service", ["p2c", "leasttime"])
def test_requests_are_spread(router: RouterProcess, service: str) -> None:
    assert len(names(router, service, 40)) > 1


# Services made of services


def test_shares_of_weighted_services(router: RouterProcess) -> None:
    assert names(router, "three-to-one", 40) == {"main": 30, "spare": 10}


def test_a_nested_service_keeps_its_middlewares(router: RouterProcess) -> None:
    answers = [ask(router, "nested") for _ in range(8)]
    lines = Counter(json.loads(answer.body)["line"] for answer in answers)
    assert lines == {"GET /marked/ HTTP/1.1": 4, "GET / HTTP/1.1": 4}


def test_a_cookie_keeps_a_client_at_a_service(theirs: RouterProcess, ours: RouterProcess) -> None:
    first = ask(theirs, "stays")
    cookie = first.get("set-cookie").split(";")[0]
    for _ in range(3):
        for process in (theirs, ours):
            again = ask(process, "stays", f"Cookie: {cookie}")
            assert server(again) == server(first)
            assert again.get("set-cookie") == ""


def test_cookies_at_both_levels(theirs: RouterProcess, ours: RouterProcess) -> None:
    while True:
        first = ask(theirs, "stays-twice")
        cookies = [value.split(";")[0] for name, value in first.headers if name == "Set-Cookie"]
        if len(cookies) == 2:
            break
    assert sorted(cookie.split("=")[0] for cookie in cookies) == ["below", "level"]
    for _ in range(3):
        for process in (theirs, ours):
            assert server(ask(process, "stays-twice", f"Cookie: {'; '.join(cookies)}")) == server(
                first
            )


def test_cookies_of_older_versions_are_taken(
    theirs: RouterProcess, ours: RouterProcess, echo: EchoServer
) -> None:
    url = f"http://127.0.0.1:{echo.ports['b']}"
    for value in (url, _fnv(url), _fnv(_fnv(url))):
        answers = [
            ask(process, "stays-below", f"Cookie: below={value}") for process in (theirs, ours)
        ]
        assert [server(answer) for answer in answers] == ["b", "b"]
        assert answers[0].get("set-cookie") == answers[1].get("set-cookie") != ""


def _fnv(text: str) -> str:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value * 0x100000001B3 % 2**64) ^ byte
    return f"{value:x}"


def test_weighted_services_mind_health(router: RouterProcess) -> None:
    soon(lambda: names(router, "minds", 6) == {"spare": 6})


def test_failover(router: RouterProcess) -> None:
    soon(lambda: names(router, "fails-over", 4) == {"spare": 4})
    assert names(router, "stays-up", 4) == {"main": 4}


def test_nothing_left(theirs: RouterProcess, ours: RouterProcess) -> None:
    for service in ("fails-twice", "nothing", "closed"):
        for process in (theirs, ours):
            soon(partial(_is_unavailable, process, service))
        assert ask(ours, service).body == ask(theirs, service).body


def _is_unavailable(process: RouterProcess, service: str) -> bool:
    return ask(process, service).status == 503


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"", "main"),
        (499, b"", "main"),
        (503, b"", "spare"),
        (503, b"short", "spare"),
        (200, b"longer than ten bytes", "413 Request body too large"),
    ],
)
def test_failover_on_status(
    theirs: RouterProcess, ours: RouterProcess, status: int, body: bytes, expected: str
) -> None:
    answers = [
        ask(process, "fails-on-status", orders(status=status), body=body)
        for process in (theirs, ours)
    ]
    assert server(answers[0]) == server(answers[1])
    assert answers[0].status == answers[1].status
    assert server(answers[1]) == expected


# Mirrors


def mirrored(recorder: RecordingUpstream, count: int) -> list[Seen]:
    seen: list[Seen] = []
    soon(lambda: len(seen.extend(recorder.take()) or seen) >= count)
    time.sleep(0.05)
    return seen + recorder.take()


def test_half_of_the_requests_are_mirrored(
    router: RouterProcess, recorder: RecordingUpstream
) -> None:
    recorder.take()
    for number in range(10):
        assert server(ask(router, "mirrored", body=b"x" * 2000, path=f"/{number}")) == "main"
    seen = mirrored(recorder, 5)
    assert sorted(copy.line for copy in seen) == [f"POST /{n} HTTP/1.1" for n in range(0, 10, 2)]
    assert {copy.body for copy in seen} == {b"x" * 2000}


def test_long_bodies_are_not_mirrored(router: RouterProcess, recorder: RecordingUpstream) -> None:
    recorder.take()
    for body in (b"123456", b"12345"):
        facts = json.loads(ask(router, "mirrored-short", body=body).body)
        assert facts["body"][0] == len(body)
    assert [copy.body for copy in mirrored(recorder, 1)] == [b"12345"]


def test_mirrors_without_bodies(router: RouterProcess, recorder: RecordingUpstream) -> None:
    recorder.take()
    assert server(ask(router, "mirrored-bare", path="/bare")) == "main"
    assert [copy.line for copy in mirrored(recorder, 1)] == ["GET /bare HTTP/1.1"]


# Health


def test_a_server_that_fails_rests(router: RouterProcess) -> None:
    statuses = [ask(router, "sick", orders(status=status)).status for status in (500, 200, 500)]
    assert statuses == [500, 200, 500]
    assert ask(router, "sick", orders(status=502)).status == 502
    assert server(ask(router, "sick")) == "503 no available server"


def test_the_api_shows_what_is_down(router: RouterProcess) -> None:
    soon(lambda: set(_status(router, "closed")) == {"DOWN"})
    assert set(_status(router, "main-checked")) == {"UP"}


def _status(process: RouterProcess, service: str) -> list[str]:
    shown = process.get(f"/api/http/services/{service}@file")
    return list(shown["serverStatus"].values())
