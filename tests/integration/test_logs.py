"""What the logs of the running product say of requests that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.raw_http import exchange

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
