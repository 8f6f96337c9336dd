"""The examples for compose: their labels become routes, and what they promise holds."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_limits import status
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.raw_http import exchange
from tests.support.redis_server import redis_server, require_redis
from tests.support.router_process import free_ports
from tests.unit.middleware.test_examples import snapshot

EXAMPLES = Path(__file__).parents[2] / "examples" / "compose"
FILES = sorted(EXAMPLES.glob("*/compose.yaml"))
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")


def load(example: str) -> dict[str, Any]:
    """Return the services of an example, with the defaults of its variables."""
    text = (EXAMPLES / example / "compose.yaml").read_text()
    services: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\1", text))["services"]
    return services


def labels(example: str, service: str) -> dict[str, str]:
    written = load(example)[service]["labels"]
    return dict(item.split("=", 1) for item in written)


def served(example: str, service: str, port: int, **replaced: str) -> dict[str, Any]:
    """Return what an example's labels configure, as a file with the server at ``port``."""
    frame = snapshot(labels(example, service))
    (router,) = frame["routers"].values()
    (name,) = router["middlewares"]
    prefix = f"traefik.http.middlewares.{name.partition('@')[0]}."
    options: dict[str, Any] = {}
    for label, value in labels(example, service).items():
        if label.startswith(prefix):
            *path, last = label.removeprefix(prefix).split(".")
            place = options
            for part in path:
                place = place.setdefault(part, {})
            place[last] = replaced.get(last, value)
    return {
        "http": {
            "routers": {"r": {"rule": router["rule"], "middlewares": ["m"], "service": "s"}},
            "middlewares": {"m": options},
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        }
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_an_example_is_sound(path: Path) -> None:
    services = load(path.parent.name)
    flagged = [each for each in services.values() if "edgerouter" in each["image"]]
    assert flagged
    labelled = [name for name, each in services.items() if "labels" in each]
    assert labelled
    for name in labelled:
        assert snapshot(labels(path.parent.name, name))["routers"]
    for each in services.values():
        for volume in each.get("volumes", ()):
            host = volume.partition(":")[0]
            assert not host.startswith("./") or (path.parent / host).exists()
    assert f"[{path.parent.name}]" in (EXAMPLES / "README.md").read_text()


def test_forward_auth(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    service = load("forward-auth")["auth"]
    program = EXAMPLES / "forward-auth" / Path(service["command"][2]).name
    environment = {**os.environ, **service["environment"]}
    auth = subprocess.Popen([sys.executable, program, str(port)], env=environment)
    try:
        eventually(lambda: ask(port).status, lambda seen: seen == 401)
        with EchoServer({"s": 1}) as echo:
            (server,) = echo.ports.values()
            address = f"http://127.0.0.1:{port}/check"
            content = served("forward-auth", "app", server, address=address)
            with edgerouter(tmp_path, ["web"], {}, content) as router:
                head = b"GET / HTTP/1.1\r\nHost: app.example.com\r\nX-Auth-User: eve\r\n"
                known = head + b"Authorization: Bearer s3cret\r\n\r\n"
                (refused,) = exchange(router.ports["web"], head + b"\r\n")
                (answer,) = exchange(router.ports["web"], known)
        assert (refused.status, refused.get("www-authenticate")) == (401, 'Bearer realm="example"')
        assert answer.status == 200
        assert b"alice" in answer.body
        assert b"eve" not in answer.body
    finally:
        auth.kill()
        auth.wait()


def test_rate_limit(tmp_path: Path) -> None:
    require_redis()
    (closed,) = free_ports(1)
    with redis_server(tmp_path) as redis:
        content = served("rate-limit", "api", closed, endpoints=redis.endpoint)
        with (
            edgerouter(tmp_path / "first", ["web"], {}, content) as first,
            edgerouter(tmp_path / "second", ["web"], {}, content) as second,
        ):
            ports = [first.ports["web"], second.ports["web"]] * 3
            # Nobody listens at the service: what passes the limit is answered 502.
            assert [status(port, "api.example.com") for port in ports] == [502] * 5 + [429]
