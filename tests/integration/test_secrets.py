"""Secrets of middlewares appear neither in the API nor in the log."""

import base64
import dataclasses
import io
import re
import tarfile
import typing
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerouter.config.schema import is_struct, plain_type
from edgerouter.config.types import camel_case
from edgerouter.middleware import TABLE, options_of
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange
from tests.support.router_process import RouterProcess
from tests.unit.middleware.samples import PASSING

SECRET = "Geheimnis"
PASSWORD = base64.b64encode(f"bob:{SECRET}".encode()).decode()
PEM = "-----BEGIN CERTIFICATE-----"


def redis(**options: Any) -> dict[str, Any]:
    return {"rateLimit": {"average": 1, "redis": options}}


MIDDLEWARES: dict[str, Any] = {
    "sound": {"basicAuth": {"users": [f"bob:{{SHA}}{SECRET}"]}},
    "digest": {"digestAuth": {"users": [f"bob:traefik:{SECRET}"]}},
    "odd": {"basicAuth": {"users": [SECRET]}},
    "wrong": {"basicAuth": {"users": {SECRET: "x"}}},
    "tls": {"forwardAuth": {"address": "http://a.test", "tls": {"cert": "c", "key": SECRET}}},
    "redis": {"rateLimit": {"average": 1, "redis": {"password": SECRET}}},
    "address": {"forwardAuth": {"address": f"http://bob:{SECRET}@127.0.0.1:9/"}},
    "scheme": {"forwardAuth": {"address": f"ftp://bob:{SECRET}@127.0.0.1:9/"}},
    "hostless": {"forwardAuth": {"address": f"http://bob:{SECRET}@"}},
    "schemeless": {"forwardAuth": {"address": f"bob:{SECRET}@auth.test:80"}},
    "at": {"forwardAuth": {"address": f"http://bob:a@{SECRET}@127.0.0.1:9/"}},
    "slash": {"forwardAuth": {"address": f"http://bob:a/{SECRET}@127.0.0.1:9/"}},
    "header": {"headers": {"customRequestHeaders": {"Authorization": f"Basic {SECRET}"}}},
    "api-key": {"headers": {"customRequestHeaders": {"x-api-key": SECRET}}},
    "as-port": {"forwardAuth": {"address": f"http://bob:{SECRET}/x@127.0.0.1:9/"}},
    "question": {"forwardAuth": {"address": f"http://bob:a?{SECRET}@127.0.0.1:9/"}},
    "port": {"forwardAuth": {"address": f"http://bob:{SECRET}@127.0.0.1:99999/"}},
    "list": {"basicAuth": {"users": [{"bob": SECRET}]}},
    "colons": {"basicAuth": {"users": [f"bob:a:{SECRET}"]}},
    "misspelt": {"basicAuht": {"users": [f"bob:{SECRET}"]}},
    "alone": {"basicAuth": SECRET},
    "pem": {
        "forwardAuth": {"address": "https://a.test", "tls": {"cert": PEM, "key": f"{PEM}{SECRET}"}}
    },
    "pemless": {
        "forwardAuth": {"address": "https://a.test", "tls": {"cert": PEM, "key": f"MII{SECRET}"}}
    },
    "redis-url": redis(endpoints=[f"redis://:{SECRET}@127.0.0.1:9"]),
    "redis-at": redis(endpoints=[f"bob:{SECRET}@127.0.0.1:9", "127.0.0.1:9"]),
    "redis-key": redis(tls={"cert": "c", "key": SECRET}),
    "redis-list": redis(password=[SECRET]),
}
_FOUND = re.compile(SECRET.encode()).finditer
_SOUNDS_SECRET = re.compile(r"password|secret|token|users$|(?<!public_)key$").search


def options_with_secrets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option that is a secret by its declaration, of whatever middleware."""
    for kind in TABLE:
        for path in secret_paths(options_of(kind)):
            values: Any = SECRET
            for name in reversed(path):
                values = {name: values}
            yield kind, {**PASSING.get(kind, {}), **values}


def secret_paths(model: Any) -> Iterator[tuple[str, ...]]:
    for spec in dataclasses.fields(model):
        name = spec.metadata.get("alias") or camel_case(spec.name)
        if spec.metadata.get("secret"):
            yield (name,)
        else:
            assert not _SOUNDS_SECRET(spec.name), f"{model}: {spec.name} is not marked as secret"
        kind = plain_type(typing.get_type_hints(model)[spec.name])
        if is_struct(kind):
            yield from ((name, *path) for path in secret_paths(kind))


SECRETS = list(options_with_secrets())
MIDDLEWARES |= {f"secret-{number}": {kind: each} for number, (kind, each) in enumerate(SECRETS)}


def test_the_secrets_are_found() -> None:
    assert {kind for kind, _ in SECRETS} == {
        "basicAuth",
        "digestAuth",
        "forwardAuth",
        "rateLimit",
    }
    assert len(SECRETS) == 5


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
    flags = {"log.level": "DEBUG", "accesslog.filepath": f"{tmp_path}/access.log"}
    flags["accesslog.format"] = "json"
    flags["accesslog.bufferingsize"] = "0"
    with edgerouter(tmp_path, ["web"], flags, dynamic) as process:
        shown = read(process, "/api/http/middlewares")
        assert all(f'"{name}@file"'.encode() in shown for name in MIDDLEWARES)
        paths = ("/api/rawdata", "/api/http/routers", "/api/edgerouter/diagnostics")
        everything = shown + b"".join(read(process, path) for path in paths)
        with tarfile.open(fileobj=io.BytesIO(read(process, "/api/support-dump"))) as dump:
            for member in dump.getmembers():
                content = dump.extractfile(member)
                assert content is not None
                everything += content.read()
        for name in MIDDLEWARES:
            sent = f"GET / HTTP/1.1\r\nHost: {name}.test\r\nConnection: close\r\n"
            sent += f"Authorization: Basic {PASSWORD}\r\n\r\n"
            everything += repr(exchange(process.ports["web"], sent.encode())).encode()
    assert b"X-Edgerouter-Reason" in everything
    leaks = [everything[found.start() - 200 : found.end()] for found in _FOUND(everything)]
    assert leaks == []
    access = (tmp_path / "access.log").read_text()
    written = process.log.read_text() + access
    assert SECRET not in written
    assert PASSWORD not in written
    # What reaches the internal service is not logged.
    assert access.count("\n") >= len(MIDDLEWARES) / 2
