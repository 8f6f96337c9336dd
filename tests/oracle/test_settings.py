"""Static options that need processes of their own: default entry points, syntax, access log."""

# ruff: noqa: E501 (one request per line reads as a table)

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.case import get
from tests.oracle.conftest import Subject
from tests.oracle.setup import loadbalancer
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

ROUTERS: dict[str, dict[str, Any]] = {
    "plain": {"rule": "Host(`plain.test`)"},
    "named": {"rule": "Host(`named.test`)", "entryPoints": ["other"]},
    "version-2": {"rule": "Host(`one.test`, `two.test`)"},
    "version-3": {"rule": "HostRegexp(`^three`)", "ruleSyntax": "v3"},
    "quiet": {"rule": "Host(`quiet.test`)", "observability": {"accessLogs": False}},
    "moved": {"rule": "Host(`moved.test`)", "middlewares": ["https"]},
    "refused": {"rule": "Host(`refused.test`)"},
}
COMMON = {
    "entrypoints.main.asDefault": "true",
    "core.defaultRuleSyntax": "v2",
    "accesslog": "true",
    "accesslog.filepath": "{directory}/access.log",
}
JSON = {
    **COMMON,
    "accesslog.format": "json",
    "accesslog.fields.headers.defaultmode": "redact",
    "accesslog.fields.headers.names.X-Kept": "keep",
    "accesslog.fields.headers.names.User-Agent": "keep",
}

Start = Callable[..., RouterProcess]


def configuration(echo: EchoServer) -> dict[str, Any]:
    url = f"http://127.0.0.1:{echo.ports['api']}"
    services = {name: loadbalancer(url) for name in ROUTERS}
    services["refused"] = loadbalancer("http://127.0.0.1:1")
    return {
        "http": {
            "routers": {name: {"service": name, **router} for name, router in ROUTERS.items()},
            "services": services,
            "middlewares": {"https": {"redirectScheme": {"scheme": "https"}}},
        }
    }


@pytest.fixture(scope="module", params=["common", "json"])
def both(
    request: pytest.FixtureRequest, echo: EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Subject, Subject, Path, Path]]:
    """The format of the access log, both routers and their directories."""
    flags: Mapping[str, str] = JSON if request.param == "json" else COMMON
    directories = [tmp_path_factory.mktemp(name) for name in ("traefik", "edgerouter")]
    dynamic = configuration(echo)
    entrypoints = ["main", "other"]
    with (
        traefik(directories[0], entrypoints, flags, dynamic) as one,
        edgerouter(directories[1], entrypoints, flags, dynamic) as two,
    ):
        yield request.param, Subject(one, echo), Subject(two, echo), *directories


CASES = [
    get(f"{host} on {entrypoint}", "/x?y=z", host, ep=entrypoint)
    for host in ("plain.test", "named.test", "one.test", "two.test", "three.test", "nobody.test")
    for entrypoint in ("main", "other")
]


def test_default_entry_points_and_rule_syntax(
    both: tuple[str, Subject, Subject, Path, Path],
) -> None:
    _, theirs, ours, _, _ = both
    for case in CASES:
        assert (case.name, ours.ask(case)) == (case.name, theirs.ask(case))


LOGGED = [
    get("plain", "/a%2Fb//../x?q=1&r=%20", "PLAIN.test:8080", "User-Agent: x/1", "X-Kept: 1", ep="main"),
    get("quotes", '/?a="b"', "plain.test", 'User-Agent: a"b', "Referer: http://r/", ep="main"),
    get("spoofed", "/", "plain.test", "X-Forwarded-For: 1.2.3.4", ep="main"),
    get("quiet", "/", "quiet.test", ep="main"),
    get("no route", "/none", "nobody.test", ep="main"),
    get("redirected", "/r", "moved.test", ep="main"),
    get("refused", "/r", "refused.test", ep="main"),
    get("upstream's error", "/", "plain.test", 'X-Echo: {"status": 503, "body": "busy"}', ep="main"),
    get("chunked", "/", "plain.test", 'X-Echo: {"chunked": true, "body": "busy", "headers": [["X-Up", "1"]]}', ep="main"),
    get("no content", "/", "plain.test", 'X-Echo: {"status": 204}', ep="main"),
    get("last", "/last", "plain.test", ep="main"),
]  # fmt: skip

# What differs from run to run, and what only one of the two can know.
VOLATILE = {
    "ClientAddr",
    "ClientPort",
    "Duration",
    "OriginDuration",
    "Overhead",
    "RequestCount",
    "StartLocal",
    "StartUTC",
    "time",
    "error",
}
# The upstream's dump is longer or shorter with the header it received.
SIZES = {"DownstreamContentSize", "OriginContentSize", "GzipRatio"}


def lines(subject: Subject, directory: Path) -> list[str]:
    """Send the requests and return the lines they left, up to the one of the last request."""
    path = directory / "access.log"
    before = len(_own_lines(path))
    for case in LOGGED:
        subject.ask(case)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        new = _own_lines(path)[before:]
        if any("/last" in line for line in new):
            return new
        time.sleep(0.01)
    raise AssertionError(f"no line of the last request in {path}")


def _own_lines(path: Path) -> list[str]:
    """Return the lines so far but those of the harness that waits for the configuration."""
    text = path.read_text() if path.exists() else ""
    return [line for line in text.splitlines() if "harness-ready" not in line]


def comparable(form: str, line: str) -> object:
    if form == "common":
        line = re.sub(r"\[[^]]+\]", "[date]", line)
        line = re.sub(r"\d+ms$", "0ms", line)
        line = re.sub(r'" (\d+) "', '" n "', line)
        return re.sub(r'" 200 \d{3,} ', '" 200 size ', line)
    record = {name: value for name, value in json.loads(line).items() if name not in VOLATILE}
    # Names of response headers are those the router itself adds.
    # Go lists an empty Content-Type; in edgerouter a body knows its length without the field,
    # and a missing Date is added where the answer comes in.
    ignored = ("downstream_", "origin_Content-Type", "origin_Content-Length", "origin_Date")
    record = {name: value for name, value in record.items() if not name.startswith(ignored)}
    if record["DownstreamStatus"] == 200:
        record = {name: value for name, value in record.items() if name not in SIZES}
    return {name: value for name, value in record.items() if value != ""}


def test_access_log(both: tuple[str, Subject, Subject, Path, Path]) -> None:
    form, theirs, ours, their_directory, our_directory = both
    expected = [comparable(form, line) for line in lines(theirs, their_directory)]
    actual = [comparable(form, line) for line in lines(ours, our_directory)]
    # Workers write side by side, so neighbours may change places.
    assert sorted(map(_text, actual)) == sorted(map(_text, expected))


def _text(line: object) -> str:
    return json.dumps(line, sort_keys=True).replace('"GzipRatio": 0.0', '"GzipRatio": 0')
