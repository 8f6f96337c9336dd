"""Entry points that exist although nobody wrote them, and the compatible mode."""

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.defaults import with_defaults
from edgerouter.config.static.validate import findings

WEB = {"web": {"address": ":80"}}


def configured(raw: dict[str, object]) -> StaticConfiguration:
    return with_defaults(decode(StaticConfiguration, raw).value)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, {"http": ":80"}),
        ({"entryPoints": WEB}, {"web": ":80"}),
        ({"api": {}}, {"http": ":80"}),
        ({"api": {"insecure": True}}, {"http": ":80", "traefik": ":8080"}),
        ({"ping": {}, "entryPoints": WEB}, {"web": ":80", "traefik": ":8080"}),
        ({"ping": {"entryPoint": "web"}, "entryPoints": WEB}, {"web": ":80"}),
        ({"ping": {"manualRouting": True}}, {"http": ":80"}),
        ({"metrics": {"prometheus": {}}}, {"http": ":80", "traefik": ":8080"}),
        ({"ping": {}, "entryPoints": {"traefik": {"address": ":9"}}}, {"traefik": ":9"}),
    ],
)
def test_implied_entry_points(raw: dict[str, object], expected: dict[str, str]) -> None:
    entry_points = configured(raw).entry_points
    assert {name: entry_point.address for name, entry_point in entry_points.items()} == expected


@pytest.mark.parametrize(
    ("compat", "given", "expected"),
    [("", None, None), ("", "5s", 5), ("traefik", None, 60), ("traefik", "0", 0)],
)
def test_read_timeout(compat: str, given: str | None, expected: float | None) -> None:
    timeouts = {"respondingTimeouts": {"readTimeout": given}}
    raw = {"edgerouter": {"compat": compat}, "entryPoints": {"a": {"transport": timeouts}}}
    entry_point = configured(raw).entry_points["a"]
    assert entry_point.transport.responding_timeouts.read_timeout == expected


def test_global_option_reaches_every_entry_point() -> None:
    raw = {"global": {"notAppendXForwardedFor": True}, "entryPoints": WEB}
    assert configured(raw).entry_points["web"].forwarded_headers.not_append_x_forwarded_for


def test_strategies_for_header_names_must_not_contradict_each_other() -> None:
    http = {"aliasHeadersStrategy": "reject", "underscoreHeadersStrategy": "keep"}
    found = dict(findings(configured({"entryPoints": {"a": {"address": ":1", "http": http}}})))
    assert "contradicts" in found["entryPoints.a.http.underscoreHeadersStrategy"]
    http["underscoreHeadersStrategy"] = "reject"
    assert not list(findings(configured({"entryPoints": {"a": {"address": ":1", "http": http}}})))


@pytest.mark.parametrize(
    ("compat", "written", "level"),
    [
        ("", "", "INFO"),
        ("traefik", "", "ERROR"),
        ("", "warn", "WARN"),
        ("traefik", "debug", "DEBUG"),
    ],
)
def test_the_level_of_the_log(compat: str, written: str, level: str) -> None:
    raw = {"edgerouter": {"compat": compat}, "log": {"level": written}}
    assert configured(raw).log.level == level
