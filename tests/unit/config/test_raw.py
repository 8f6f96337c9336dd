"""Laying sources over each other, and knowing where a value stood."""

import pytest

from edgerouter.config.options import segments_of
from edgerouter.config.raw import Origin, RawOptions, merged, put_value


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({"log": {"level": "a", "format": "b"}}, {"log": {"level": "c"}}, None),
        ({"LOG": {"LEVEL": "a"}}, {"log": {"level": "c"}}, {"LOG": {"LEVEL": "c"}}),
        ({"api": {"debug": True}}, {"api": "true"}, {"api": {"debug": True, "": "true"}}),
        ({"api": "true"}, {"api": {"debug": True}}, {"api": {"debug": True}}),
        ({"a": ["x"]}, {"a": ["y"]}, {"a": ["y"]}),
        ({"ep": {"websecure": {"a": 1}}}, {"ep": {"webSecure": {"b": 2}}}, None),
        ({"ep": {"webSecure": {"a": 1}}}, {"ep": {"websecure": {"b": 2}}}, None),
    ],
)
def test_merged(
    below: dict[str, object], above: dict[str, object], expected: dict[str, object] | None
) -> None:
    values = merged(RawOptions(below), RawOptions(above)).values
    if expected is None:
        expected = (
            {"log": {"level": "c", "format": "b"}}
            if "log" in below
            else {"ep": {"webSecure": {"a": 1, "b": 2}}}
        )
    assert values == expected


def test_positions_that_nobody_gave_are_left_out() -> None:
    raw = RawOptions()
    raw.put(segments_of("a.list[2]"), "c", Origin("x", "y"))
    raw.put(segments_of("a.list[0]"), "a", Origin("x", "y"))
    assert merged(raw).values == {"a": {"list": ["a", "c"]}}


def test_sources_are_left_as_they_are() -> None:
    file = RawOptions({"log": {"level": "a"}})
    merged(file, RawOptions({"log": {"level": "b"}}))
    assert file.values == {"log": {"level": "a"}}


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("entryPoints.web.address", "--address"),
        ("entrypoints.WEB.http.middlewares[1]", "--middlewares"),
        ("entryPoints.web", "--address"),
        ("entryPoints.web.reusePort", "--address"),
        ("log", None),
    ],
)
def test_origin_of(path: str, key: str | None) -> None:
    raw = RawOptions()
    raw.put(segments_of("entryPoints.web.address"), ":80", Origin("x", "--address"))
    raw.put(segments_of("entryPoints.web.http.middlewares"), "a", Origin("x", "--middlewares"))
    origin = raw.origin_of(path)
    assert (origin.key if origin else None) == key


def test_a_scalar_and_children_of_a_group_keep_each_other() -> None:
    values: dict[str, object] = {}
    put_value(values, segments_of("tls.options"), "x")
    put_value(values, segments_of("tls"), "true")
    put_value(values, segments_of("tls.domains[1].main"), "b")
    assert values == {"tls": {"options": "x", "": "true", "domains": [None, {"main": "b"}]}}
