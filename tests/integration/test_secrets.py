"""Secrets of middlewares appear neither in the API nor in the log."""

import urllib.request
from pathlib import Path

from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess

SECRET = "Geheimnis"
MIDDLEWARES = {
    "sound": {"basicAuth": {"users": [f"bob:{{SHA}}{SECRET}"]}},
    "digest": {"digestAuth": {"users": [f"bob:traefik:{SECRET}"]}},
    "odd": {"basicAuth": {"users": [SECRET]}},
    "wrong": {"basicAuth": {"users": {SECRET: "x"}}},
    "tls": {"forwardAuth": {"address": "http://a.test", "tls": {"cert": "c", "key": SECRET}}},
    "redis": {"rateLimit": {"average": 1, "redis": {"password": SECRET}}},
}


def read(process: RouterProcess, path: str) -> bytes:
    url = f"http://127.0.0.1:{process.ports['traefik']}{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        data: bytes = answer.read()
    return data


def test_secrets_stay_secret(tmp_path: Path) -> None:
    routers = {
        name: {"rule": f"Host(`{name}.test`)", "service": "noop@internal", "middlewares": [name]}
        for name in MIDDLEWARES
    }
    dynamic = {"http": {"routers": routers, "middlewares": MIDDLEWARES}}
    with edgerouter(tmp_path, ["web"], {"log.level": "DEBUG"}, dynamic) as process:
        shown = read(process, "/api/http/middlewares")
        assert all(f'"{name}@file"'.encode() in shown for name in MIDDLEWARES)
        everything = shown + read(process, "/api/rawdata") + read(process, "/api/http/routers")
    assert SECRET.encode() not in everything
    assert SECRET not in process.log.read_text()
