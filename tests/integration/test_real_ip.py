"""``edgerouter.realIp``: rules, middlewares, servers and the access log see the client."""

import json
from pathlib import Path
from typing import Any

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange


def dynamic(port: int) -> dict[str, Any]:
    rule = "Host(`a.test`) && ClientIP(`203.0.113.0/24`)"
    return {
        "http": {
            "routers": {"r": {"rule": rule, "service": "s", "middlewares": ["id", "some"]}},
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
            "middlewares": {
                "id": {"requestId": {}},
                "some": {"ipAllowList": {"sourceRange": ["203.0.113.9"]}},
            },
        }
    }


def ask(port: int, client: str) -> Answer:
    head = f"GET / HTTP/1.1\r\nHost: a.test\r\nCF-Connecting-IP: {client}\r\n\r\n"
    return exchange(port, head.encode())[0]


def test_the_client_behind_a_proxy(tmp_path: Path) -> None:
    flags = {
        "edgerouter.workers": "1",
        "edgerouter.realIp.trusted": "private",
        "edgerouter.realIp.header": "CF-Connecting-IP",
        "accesslog.format": "json",
        "accesslog.filepath": "{directory}/access.log",
    }
    with (
        EchoServer(["s"]) as echo,
        edgerouter(tmp_path, ["web"], flags, dynamic(echo.ports["s"])) as process,
    ):
        port = process.ports["web"]
        answer = ask(port, "203.0.113.9")
        assert answer.status == 200
        told = {name.lower(): value for name, value in json.loads(answer.body)["headers"]}
        assert told["x-real-ip"] == told["x-forwarded-for"] == "203.0.113.9"
        assert answer.get("x-request-id") == told["x-request-id"]
        assert ask(port, "203.0.113.10").status == 403
        assert ask(port, "198.51.100.1").status == 404
        process.stop()
        lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    logged = [line for line in lines if line["RequestHost"] == "a.test"]
    assert [line["ClientHost"] for line in logged] == [
        "203.0.113.9",
        "203.0.113.10",
        "198.51.100.1",
    ]
    assert logged[0]["RequestID"] == told["x-request-id"]
