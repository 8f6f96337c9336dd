"""The middlewares that Traefik does not have, in a running router."""

import json
import re
import time
from pathlib import Path
from typing import Any

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange
from tests.support.router_process import RouterProcess, free_ports
from tests.support.traefik import traefik

HOUR = {"average": 1, "period": "1h"}
MIDDLEWARES: dict[str, Any] = {
    "id": {"requestId": {}},
    "hop": {"via": {"name": "gate-1"}},
    "closed": {"maintenance": {"page": "closed <b>today</b>", "retryAfter": "10m"}},
    "open": {"maintenance": {"allowedIPs": ["127.0.0.0/8"]}},
    "sorry": {"errorPages": {"page": "sorry: {status}", "status": ["500-599"]}},
    "few": {"rateLimit": {**HOUR, "burst": 4, "noDelay": True, "headers": True}},
    "fewer": {"rateLimit": {**HOUR, "burst": 2, "noDelay": True, "headers": True}},
    "dry": {"rateLimit": {**HOUR, "dryRun": True}},
    "slow": {"bandwidth": {"rate": "100k", "after": "10k"}},
    "proxied": {"realIp": {"trusted": ["private", "127.0.0.0/8"], "header": "CF-Connecting-IP"}},
    "local": {"ipAllowList": {"sourceRange": ["192.0.2.7"]}},
}
CHAINS = {
    "id": ["id"],
    "via": ["hop"],
    "closed": ["closed"],
    "open": ["open"],
    "sorry": ["id", "sorry"],
    "two": ["few", "fewer"],
    "dry": ["dry"],
    "slow": ["slow"],
    "proxied": ["proxied", "local"],
}


def configuration(port: int, closed: int) -> dict[str, Any]:
    routers = {
        name: {
            "rule": f"Host(`{name}.test`)",
            "middlewares": chain,
            "service": "down" if name == "sorry" else "s",
        }
        for name, chain in CHAINS.items()
    }
    services = {
        name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{number}"}]}}
        for name, number in (("s", port), ("down", closed))
    }
    return {
        "http": {"services": services},
        "edgerouter": {"http": {"middlewares": MIDDLEWARES, "routers": routers}},
    }


def ask(router: RouterProcess, host: str, *fields: str, entrypoint: str = "web") -> Answer:
    lines = ["GET /p HTTP/1.1", f"Host: {host}.test", *fields, "Connection: close", "", ""]
    (answer,) = exchange(router.ports[entrypoint], "\r\n".join(lines).encode())
    return answer


def seen(answer: Answer) -> dict[str, str]:
    """Return the header that the server got."""
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


def test_in_a_running_router(tmp_path: Path) -> None:
    (closed,) = free_ports(1)
    log = tmp_path / "access.log"
    flags = {
        "accesslog.filepath": str(log),
        "accesslog.format": "json",
        "entrypoints.trusting.forwardedheaders.insecure": "true",
        "edgerouter.workers": "2",
    }
    points = ["web", "trusting"]
    with EchoServer({"s": 1}) as echo:
        (port,) = echo.ports.values()
        content = configuration(port, closed)
        with edgerouter(tmp_path / "router", points, flags, content) as router:
            forged = ask(router, "id", "X-Request-ID: forged")
            made = forged.get("x-request-id")
            assert re.fullmatch("[0-9a-f]{32}", made)
            assert seen(forged)["x-request-id"] == made
            kept = ask(router, "id", "X-Request-ID: kept", entrypoint="trusting")
            assert kept.get("x-request-id") == seen(kept)["x-request-id"] == "kept"

            through = ask(router, "via", "Via: 1.0 before")
            assert seen(through)["via"].split(", ")[-1] == "1.1 gate-1"
            assert through.get("via") == "1.1 gate-1"

            page = ask(router, "closed")
            assert (page.status, page.get("retry-after")) == (503, "600")
            assert page.body == b"closed <b>today</b>"
            assert ask(router, "open").status == 200

            sorry = ask(router, "sorry")
            assert (sorry.status, sorry.body) == (502, b"sorry: 502")

            limited = [ask(router, "two") for _ in range(3)]
            assert [answer.status for answer in limited] == [200, 200, 429]
            policies = [value for name, value in limited[0].headers if name == "RateLimit-Policy"]
            assert len(policies) == 2
            assert [ask(router, "dry").status for _ in range(3)] == [200] * 3

            began = time.monotonic()
            order = json.dumps({"body": "x" * 40_000, "headers": [["Content-Type", "text/plain"]]})
            assert len(ask(router, "slow", f"X-Echo: {order}").body) == 40_000
            assert 0.15 < time.monotonic() - began < 5.0

            assert ask(router, "proxied").status == 403
            assert ask(router, "proxied", "CF-Connecting-IP: 192.0.2.7").status == 200
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {made, "kept"} <= {line.get("RequestID") for line in lines}
    assert [line["ClientHost"] for line in lines if line["RequestHost"] == "proxied.test"] == [
        "127.0.0.1",
        "192.0.2.7",
    ]


def test_traefik_still_loads_the_file(tmp_path: Path) -> None:
    (closed,) = free_ports(1)
    with traefik(tmp_path, ["web"], {}, configuration(closed, closed)) as router:
        assert ask(router, "id").status == 404
