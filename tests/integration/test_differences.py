"""Rows of docs/differences.md that nothing else shows: what clients, servers and logs see."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from edgerouter.control.tls.pair import self_signed
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange
from tests.support.router_process import RouterProcess


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with EchoServer(["echo"]) as echo:
        url = f"http://127.0.0.1:{echo.ports['echo']}"
        plain = {"loadBalancer": {"servers": [{"url": url}]}}
        http: dict[str, Any] = {
            "routers": {
                name: {"rule": f"Host(`{name}.test`)", "service": name}
                for name in ("a", "empty", "spare")
            },
            "services": {
                "a": plain,
                "empty": {"loadBalancer": {}},
                # Above services whose health nobody checks.
                "spare": {"failover": {"service": "a", "fallback": "empty", "healthCheck": {}}},
            },
        }
        flags = {
            "entrypoints.web.http.maxheaderbytes": "2000",
            "entrypoints.strict.http.aliasheadersstrategy": "reject",
            "entrypoints.slow.transport.respondingtimeouts.readtimeout": "300ms",
        }
        directory = tmp_path_factory.mktemp("router")
        with edgerouter(directory, ["web", "strict", "slow"], flags, {"http": http}) as process:
            yield process


def ask(router: RouterProcess, *lines: str, host: str = "a.test") -> Answer:
    head = ["GET / HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""]
    (answer,) = exchange(router.ports["web"], "\r\n".join(head).encode())
    return answer


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Bad Name: x", 400),
        ("Expect: the unexpected", 417),
        ("X-Long: " + "x" * 3000, 431),
        ("Transfer-Encoding: gzip, chunked", 501),
    ],
)
def test_refusals_say_why(router: RouterProcess, line: str, status: int) -> None:
    answer = ask(router, line)
    assert answer.status == status
    assert len(answer.body.split()) >= 4, answer.body


@pytest.mark.parametrize(
    ("framing", "body", "status", "reason"),
    [
        ("Transfer-Encoding: chunked", b"zz\r\n", 400, b"chunk size"),
        ("Content-Length: 5", b"he", 408, b"no more of the request body in time"),
    ],
)
def test_refused_bodies_say_why(
    router: RouterProcess, framing: str, body: bytes, status: int, reason: bytes
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n".encode()
    (answer,) = exchange(router.ports["slow"], head + body)
    assert answer.status == status
    assert reason in answer.body


def test_a_404_says_why(router: RouterProcess) -> None:
    answer = ask(router, host="b.test")
    assert answer.status == 404
    assert "no router of entry point web" in answer.get("x-edgerouter-reason")


def test_without_a_server_clients_learn_when_to_come_again(router: RouterProcess) -> None:
    answer = ask(router, host="empty.test")
    assert (answer.status, answer.get("retry-after")) == (503, "5")
    assert "empty@file" in answer.get("x-edgerouter-reason")


def test_the_server_gets_what_the_client_sent(router: RouterProcess) -> None:
    answer = ask(router, "x-lower: 1", "X-UPPER: 2", "User-Agent: ")
    received = json.loads(answer.body)["headers"]
    names = [name for name, _ in received]
    assert {"x-lower", "X-UPPER"} <= set(names)
    assert ["User-Agent", ""] in received
    assert "accept-encoding" not in [name.lower() for name in names]


def test_fields_keep_their_order(router: RouterProcess) -> None:
    names = ["X-C", "X-A", "X-D", "X-B"]
    answer = ask(router, *(f"{name}: 1" for name in names))
    received = [name for name, _ in json.loads(answer.body)["headers"]]
    assert [name for name in received if name in names] == names


def until_closed(port: int, sent: bytes) -> bytes:
    """Return what comes until the other side closes, though this one does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(sent)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_line_without_a_version_is_refused_at_once(router: RouterProcess) -> None:
    assert until_closed(router.ports["web"], b"GET /\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("point", "head"),
    [
        ("strict", b"GET / HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: 1\r\n\r\n"),
        ("web", b"GET /#fragment HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ],
)
def test_the_connection_ends_with_a_refusal(router: RouterProcess, point: str, head: bytes) -> None:
    assert until_closed(router.ports[point], head).startswith(b"HTTP/1.1 400 ")


def test_failover_needs_no_health_checks(router: RouterProcess) -> None:
    assert ask(router, host="spare.test").status == 200


def test_the_log_tells_what_happens_and_not_only_errors(router: RouterProcess) -> None:
    assert ask(router, host="nobody.test").status == 404
    assert "No router matches" in router.log.read_text()


def test_the_default_certificate_has_an_elliptic_curve_key() -> None:
    certificate = load_pem_x509_certificate(self_signed().chain_pem.encode())
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
