"""The models: names, defaults and the form that workers receive."""

import json

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.entrypoints import EntryPoint


def dumped(**raw: object) -> dict[str, object]:
    decoded = decode(StaticConfiguration, raw)
    assert decoded.problems == []
    return json.loads(decoded.value.model_dump_json())


def test_workers_receive_traefiks_names_and_seconds() -> None:
    web = {"address": ":80", "transport": {"lifeCycle": {"graceTimeOut": "1m30s"}}}
    entry_point = dumped(entryPoints={"web": web})["entryPoints"]["web"]
    assert entry_point["transport"]["lifeCycle"]["graceTimeOut"] == 90.0
    assert entry_point["forwardedHeaders"]["trustedIPs"] == []
    assert entry_point["allowACMEByPass"] is False
    assert entry_point["http"]["redirections"] is None


def test_what_nobody_asked_for_is_off() -> None:
    values = dumped()
    off = ["accessLog", "api", "ping", "metrics", "tracing", "hostResolver", "experimental"]
    assert {name: values[name] for name in off} == dict.fromkeys(off)
    assert values["entryPoints"] == {}
    assert "enabled" not in values["providers"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("address", ""),
        ("transport.respondingTimeouts.readTimeout", None),
        ("transport.respondingTimeouts.idleTimeout", 180),
        ("transport.lifeCycle.graceTimeOut", 10),
        ("http.maxHeaderBytes", 1048576),
        ("http.sanitizePath", True),
        ("http.underscoreHeadersStrategy", ""),
        ("http2.maxConcurrentStreams", 250),
        ("udp.timeout", 3),
        ("observability.traceVerbosity", "minimal"),
    ],
)
def test_defaults_of_an_entry_point(path: str, value: object) -> None:
    found: object = EntryPoint().model_dump(mode="json")
    for name in path.split("."):
        found = found[name]  # type: ignore[index]
    assert found == value


@pytest.mark.parametrize("group", ["api", "ping", "accessLog", "tracing", "hostResolver", "ocsp"])
def test_groups_that_a_bare_true_switches_on(group: str) -> None:
    assert dumped(**{group: "true"})[group] is not None
    assert dumped(**{group: "false"})[group] is None
    assert dumped(**{group: {}})[group] is not None


@pytest.mark.parametrize("group", ["metrics", "serversTransport", "experimental", "core"])
def test_groups_that_need_an_option(group: str) -> None:
    problems = decode(StaticConfiguration, {group: "true"}).problems
    assert [problem.path for problem in problems] == [group]


def test_negative_times_are_refused() -> None:
    raw = {"providers": {"providersThrottleDuration": "-1s"}}
    problems = decode(StaticConfiguration, raw).problems
    assert [problem.path for problem in problems] == ["providers.providersThrottleDuration"]


@pytest.mark.parametrize("level", ["debug", "DEBUG", "Debug"])
def test_log_level_has_no_case(level: str) -> None:
    assert dumped(log={"level": level})["log"]["level"] == "DEBUG"
