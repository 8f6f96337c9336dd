"""Durations and booleans as Go reads and writes them."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edgerouter.config.types import (
    Duration,
    camel_case,
    did_you_mean,
    format_duration,
    parse_bool,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("1m30s", 90),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("-100ms", -0.1),
        ("+2s", 2),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("7ns", 7e-9),
        ("1h1m1s", 3661),
    ],
)
def test_parse_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " 1", "1 s", "s", "1d", "1.5", "1s2", "--1s", "1e3", "300000000h", "9" * 5000, "٣"]
)
def test_parse_duration_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|digits"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (90, "1m30s"),
        (60, "1m0s"),
        (3600, "1h0m0s"),
        (0.1, "100ms"),
        (1.5, "1.5s"),
        (0.0015, "1.5ms"),
        (1e-6, "1µs"),
        (-0.005, "-5ms"),
        (86400, "24h0m0s"),
    ],
)
def test_format_duration_is_gos(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_durations_survive_a_round_trip(microseconds: int) -> None:
    assert parse_duration(format_duration(microseconds / 1e6)) == microseconds / 1e6


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_parse_bool_true(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_parse_bool_false(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "yes", "tRUE", "on", " true"])
def test_parse_bool_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="expected true or false"):
        parse_bool(text)


def test_did_you_mean_ignores_case_and_knows_when_it_does_not_know() -> None:
    assert did_you_mean("ENTRYPOINT", ["entryPoints", "rule"]) == "entryPoints"
    assert did_you_mean("zzz", ["entryPoints", "rule"]) is None


def test_camel_case() -> None:
    assert camel_case("pass_host_header") == "passHostHeader"


def test_a_pydantic_field_takes_duration_text() -> None:
    class Model(BaseModel):
        every: Duration = 1

    assert Model.model_validate({"every": "1m"}).every == 60
    assert Model.model_validate({"every": 2}).every == 2


def test_middleware_options_need_no_pydantic() -> None:
    code = (
        "import sys, edgerouter.middleware as m\n"
        "for name in m.TABLE: m.options_of(name), m.builder_of(name)\n"
        "assert not [name for name in sys.modules if name.startswith('pydantic')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
