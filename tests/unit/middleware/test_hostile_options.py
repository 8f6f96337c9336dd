"""Options that nobody would write: they cost their middleware and its routers, nothing else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.elements import decode_mapping
from edgerouter.config.schema import fields_of, is_struct, plain_type
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.elements import middleware_item
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.middleware import TABLE, options_of
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched
from tests.unit.middleware.samples import PASSING

STATIC = decode(StaticConfiguration, {"entryPoints": {"web": {"address": ":80"}}}).value
LONG = "x" * 10_000
DEEP: Any = "x"
for _ in range(200):
    DEEP = {"a": DEEP}
TREE: Any = []
for _ in range(200):
    TREE = [TREE]


def repr_of(name: str) -> str:
    return ascii(name[:10])


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a pipe that nobody writes to."""
    path = tmp_path_factory.mktemp("pipe") / "pipe"
    os.mkfifo(path)
    return str(path)


def hostile(pipe: str) -> list[Any]:
    return [
        *(None, True, -1, 0, 2**63, -(2**63), 10**400, float("nan"), float("inf"), -1e308, 1e300),
        *("", " ", "\0", "a\r\nb: c", "\ud800", "9" * 5000, "-1h", "999999h", "nan", "x" * 100_000),
        *("(" * 10_000, "!" * 10_000, "[" * 10_000, "a{1000}{1000}", "(?P<a>x)\\1", "*", "%zz"),
        *("Attempts() < 1" + " && Attempts() < 1" * 5000, "{{" * 1000, "${" * 1000, "://", "//@"),
        *("/nonexistent", "/", "/etc", "/dev/zero", pipe, "-----BEGIN CERTIFICATE-----", "é" * 9),
        *([], [None], [[]], ["\0"], [DEEP], {}, {"": ""}, {"a": None}, {"\r\n": "\0"}, DEEP, TREE),
    ]


def options(model: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every option, those of groups included."""
    for spec in fields_of(model):
        path = (*above, spec.alias)
        yield path
        kind = plain_type(spec.annotation)
        if is_struct(kind):
            yield from options(kind, path)
        elif get_origin(kind) is dict:
            yield (*path, "X-A")
        elif get_origin(kind) is tuple and is_struct(get_args(kind)[0]):
            yield from options(get_args(kind)[0], path)


def with_option(sound: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    if rest:
        inner = sound.get(first)
        value = with_option(inner if isinstance(inner, dict) else {}, tuple(rest), value)
    return {**sound, first: value}


def runtime_of(kind: str, variants: list[Any]) -> RuntimeConfiguration:
    """Return what becomes of middlewares ``m0``, ``m1``, ..., each with a router ``r0``, ..."""
    routers = {
        f"r{number}": {"rule": f"Host(`r{number}`)", "service": "s", "middlewares": f"m{number}"}
        for number in range(len(variants))
    }
    http = {
        "routers": {
            "good": {"rule": "Host(`good`)", "service": "s", "middlewares": "sound"},
            **routers,
        },
        "middlewares": {
            "sound": {"addPrefix": {"prefix": "/a"}},
            **{f"m{number}": {kind: written} for number, written in enumerate(variants)},
        },
        "services": {
            name: {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}}
            for name in ("s", "pages")
        },
    }
    configuration, diagnostics = decode_mapping({"http": http}, "f.yml", "file")
    return build_runtime(STATIC, {"file": configuration}, diagnostics)


def check(kind: str, variants: list[Any]) -> None:
    runtime = runtime_of(kind, variants)
    http = runtime.http
    good = http.routers["good@file"]
    assert (good.status, good.errors) == ("enabled", [])
    by_element = {finding.element: finding for finding in runtime.diagnostics}
    for number in range(len(variants)):
        middleware, router = http.middlewares[f"m{number}@file"], http.routers[f"r{number}@file"]
        # The service that ``errors`` names is looked up for each router.
        expected = middleware.is_served and (kind != "errors" or router.is_served)
        assert router.is_served == expected
        if not middleware.is_served:
            finding = by_element[f"http.middlewares.m{number}"]
            assert finding.key.startswith(f"http.middlewares.m{number}")
            assert finding.message
    for info in http.middlewares.values():
        json.dumps(middleware_item(info, ()), allow_nan=False)
    frame = json.loads(json.dumps(snapshot_of(runtime, 1), allow_nan=False))
    builder = Builder(
        {"web": EntryPoint("web", {})},
        admin="/nowhere.sock",
        ping_status=503,
        life_cycle=LifeCycle(),
        unmatched=Unmatched(lambda: 0.0),
    )
    assert builder.apply(frame) == {}  # What the control plane lets pass works in workers.


@pytest.mark.parametrize("kind", TABLE)
async def test_no_option_costs_more_than_its_middleware(kind: str, pipe: str) -> None:
    sound = PASSING.get(kind, {"middlewares": ["sound"]})
    paths = list(options(options_of(kind)))
    for value in hostile(pipe):
        check(kind, [value, *(with_option(sound, path, value) for path in paths)])


@pytest.mark.parametrize("name", ["", "\0", "plugin", "basicAuht", LONG], ids=repr_of)
async def test_what_is_no_middleware(name: str, pipe: str) -> None:
    check(name, hostile(pipe))


def test_a_users_file_that_is_a_pipe_or_a_directory(pipe: str, tmp_path: Path) -> None:
    for place in (pipe, str(tmp_path)):
        runtime = runtime_of("basicAuth", [{"usersFile": place}])
        (error,) = runtime.http.middlewares["m0@file"].errors
        assert error == (
            f"http.middlewares.m0.basicAuth.usersFile: cannot read {place!r}: it is no regular file"
        )
