"""What the logs of the running product say of refused requests and failing servers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.raw_http import exchange
from tests.support.router_process import RouterProcess, free_ports

HOST = b"Host: a\r\n"
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "bad request line": (b"BAD\r\n\r\n", 400, "request line"),
    "bad escape": (b"GET /a%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "hexadecimal"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "host"),
    "large head": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n",
        431,
        "maxHeaderBytes",
    ),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 501, "CONNECT"),
    "expectation": (b"GET / HTTP/1.1\r\n" + HOST + b"Expect: x\r\n\r\n", 417, "expectation"),
    "late head": (b"GET / HT", 408, "in time"),
}


def lines(path: Path) -> list[str]:
    """Return the lines but those of the harness that waits for the configuration."""
    return [line for line in path.read_text().splitlines() if "harness-ready" not in line]


@pytest.mark.parametrize("form", ["common", "json"])
def test_refused_requests_are_in_the_access_log(tmp_path: Path, form: str) -> None:
    flags = {
        "accesslog.filepath": "{directory}/access.log",
        "accesslog.format": form,
        "entrypoints.web.transport.respondingtimeouts.readtimeout": "500ms",
        "edgerouter.workers": "1",
    }
    path = tmp_path / "access.log"
    with edgerouter(tmp_path, ["web"], flags, {}) as router:
        for name, (data, status, reason) in REFUSED.items():
            before = len(lines(path))
            (answer,) = exchange(router.ports["web"], data)
            assert (name, answer.status) == (name, status)
            line = eventually(lambda: lines(path)[before:], len)[0]  # noqa: B023
            if form == "common":
                assert line.startswith("127.0.0.1 - - [")
                assert f'"- - -" {status} {len(answer.body)} ' in line
            else:
                record: dict[str, Any] = json.loads(line)
                assert record["DownstreamStatus"] == status
                assert record["DownstreamContentSize"] == len(answer.body)
                assert record["ClientHost"] == "127.0.0.1"
                assert record["entryPointName"] == "web"
                assert reason.lower() in record["error"].lower()


PORT_HINT = "is the port right (server.port)"
FAILING = {
    "refused": ("http://127.0.0.1:{closed}", {}, 502, "Connection refused", PORT_HINT),
    "unknown": ("http://nobody.invalid", {}, 502, "Name or service not known", "correct the host"),
    "garbage": ("http://127.0.0.1:{echo}", {"raw": "bad\r\n\r\n"}, 500, "is not HTTP", PORT_HINT),
    "field": (
        "http://u:secret@127.0.0.1:{echo}",
        {"raw": "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"},
        500,
        "is not HTTP: Invalid header token",
        "",
    ),
    "silent": ("http://127.0.0.1:{echo}", {"raw": ""}, 502, "before it answered", ""),
    "cut": (
        "http://127.0.0.1:{echo}",
        {"raw": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"},
        200,
        "in the middle of its answer",
        "",
    ),
}  # fmt: skip
"""By service: its server, what that answers, the status for the client, reason and remedy."""


@contextmanager
def failing_servers(directory: Path, flags: dict[str, str]) -> Iterator[RouterProcess]:
    with EchoServer(["echo"]) as echo:
        (closed,) = free_ports(1)
        urls = {
            name: url.format(closed=closed, echo=echo.ports["echo"])
            for name, (url, *_) in FAILING.items()
        }
        spare = {"loadBalancer": {"servers": [{"url": urls["refused"]}, {"url": urls["silent"]}]}}
        http = {
            "routers": {
                name: {"rule": f"Host(`{name}`)", "service": name} for name in (*urls, "spare")
            },
            "services": {
                **{name: {"loadBalancer": {"servers": [{"url": u}]}} for name, u in urls.items()},
                "spare": spare,
            },
        }
        flags = {"log.format": "json", "edgerouter.workers": "1", **flags}
        with edgerouter(directory, ["web"], flags, {"http": http}) as router:
            yield router


def warnings(router: RouterProcess) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in router.log.read_text().splitlines()]
    failed = [record for record in records if record["message"] == "A server failed"]
    return [record for record in failed if "harness" not in record["serviceName"]]


def test_servers_that_fail_are_in_the_program_log(tmp_path: Path) -> None:
    """Once each, however many requests fail, with the way out; clients that may know learn why."""
    flags = {"accesslog.filepath": "{directory}/access.log"}
    with failing_servers(tmp_path, flags) as router:
        for name, (_, order, status, reason, remedy) in FAILING.items():
            before = len(warnings(router))
            for _ in range(3):
                answer = ask(router.ports["web"], host=name, headers={"X-Echo": json.dumps(order)})
                assert (name, answer.status) in ((name, status), (name, 0))  # Cut: no answer.
                if answer.status >= 500:
                    assert reason in answer.headers["x-edgerouter-reason"]
            (record,) = eventually(lambda: warnings(router)[before:], len)  # noqa: B023
            assert record["level"] == "warn"
            assert record["serviceName"] == f"{name}@file"
            assert record["serverURL"].startswith("http://")
            assert reason in record["reason"]
            assert remedy in record["reason"]
        assert "secret" not in router.log.read_text()
        assert "secret" not in (tmp_path / "access.log").read_text()


def test_a_server_that_fails_is_told_of_when_another_answers(tmp_path: Path) -> None:
    with failing_servers(tmp_path, {}) as router:
        for _ in range(2):  # One of them starts with the server that refuses.
            assert ask(router.ports["web"], host="spare").status == 200
        (record,) = eventually(lambda: warnings(router), len)
        assert (record["serviceName"], "refused" in record["reason"]) == ("spare@file", True)


def test_only_clients_that_are_trusted_see_why_a_server_fails(tmp_path: Path) -> None:
    flags = {"edgerouter.compat": "traefik"}
    with failing_servers(tmp_path, flags) as router:
        answer = ask(router.ports["web"], host="refused")
        assert (answer.status, "x-edgerouter-reason" in answer.headers) == (502, False)
