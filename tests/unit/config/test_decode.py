"""The decoder: Traefik's reading of text, and messages that name the mistake."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgerouter.config.decode import Problem, decode
from edgerouter.config.types import (
    ALLOW_EMPTY,
    LABEL_ONLY,
    NOT_IN_LABELS,
    Duration,
    LabelName,
    Names,
    camel_case,
)


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=camel_case, extra="forbid", frozen=True)


class Inner(Model):
    name: str = "x"
    max_age: int = 0
    port: Annotated[str, LABEL_ONLY] = ""


class Outer(Model):
    tls: Annotated[Inner | None, ALLOW_EMPTY] = None
    group: Inner = Inner()
    time_out: Duration = 3
    other: Duration | None = None
    tags: list[str] = []
    on: bool = False
    ratio: float = 0.5
    mode: Literal["one", "three"] = "one"
    named: dict[str, Inner] = {}
    many: Annotated[list[Inner], LabelName("single")] = []
    secret: Annotated[str, NOT_IN_LABELS] = ""
    count: Annotated[int, Field(ge=3)] = 5
    free: Any = None
    guards: Names = []
    headers: dict[str, str] = {}
    level: Literal["", "low", "high"] = ""
    share: Annotated[float, Field(gt=0, le=1)] = 1


@dataclass(frozen=True, slots=True)
class Options:
    root_cas: str = field(default="", metadata={"alias": "rootCAs"})
    every: Duration = 1.0
    prefixes: tuple[str, ...] = ()
    inner: Inner | None = None


@dataclass(frozen=True, slots=True)
class Strict:
    needed: str
    also: int


def one(raw: dict[str, Any], **options: Any) -> tuple[Outer, list[Problem]]:
    decoded = decode(Outer, raw, **options)
    return decoded.value, decoded.problems


@pytest.mark.parametrize(
    ("raw", "name", "expected"),
    [
        ({"TIMEOUT": "1m30s"}, "time_out", 90.0),
        ({"timeOut": 10}, "time_out", 10.0),
        ({"timeout": "10"}, "time_out", 10.0),
        ({"timeout": -1}, "time_out", -1.0),
        ({"other": "5ms"}, "other", 0.005),
        ({"tags": " a, b,,c "}, "tags", ["a", "b", "c"]),
        ({"tags": ["a,b", 3]}, "tags", ["a,b", "3"]),
        ({"tags": 7}, "tags", ["7"]),
        ({"on": "T"}, "on", True),
        ({"on": True}, "on", True),
        ({"on": 0}, "on", False),
        ({"ratio": "0.25"}, "ratio", 0.25),
        ({"mode": "three"}, "mode", "three"),
        ({"named": {"A-b": {"maxage": "5"}}}, "named", {"A-b": Inner(maxAge=5)}),
        ({"named": {"x": None}}, "named", {"x": Inner()}),
        ({"many": [{"name": "q"}]}, "many", [Inner(name="q")]),
        ({"count": "7"}, "count", 7),
        ({"group": {"name": 80}}, "group", Inner(name="80")),
        ({"group": {"name": True}}, "group", Inner(name="true")),
        ({"free": {"any": [1]}}, "free", {"any": [1]}),
        ({"on": None}, "on", False),
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_values(raw: dict[str, Any], name: str, expected: Any, text: bool) -> None:
    if "many" in raw and text:
        raw = {"single": raw["many"]}
    value, problems = one(raw, text=text)
    assert problems == []
    assert getattr(value, name) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("true", Inner()),
        ("TRUE", Inner()),
        (True, Inner()),
        ({}, Inner()),
        ("", Inner()),
        ("false", None),
        ("no", None),
        ("0", None),
        (False, None),
        ({"": "true", "name": "n"}, Inner(name="n")),
        ({"": "false", "name": "n"}, None),
    ],
)
def test_groups_that_may_be_empty(written: Any, expected: Inner | None) -> None:
    value, problems = one({"tls": written})
    assert (value.tls, problems) == (expected, [])


@pytest.mark.parametrize("written", ["yes", " true", "tru", {"": "foo", "name": "n"}])
def test_a_group_that_is_off_by_mistake_is_told(written: Any) -> None:
    value, (problem,) = one({"tls": written}, path="p")
    assert value.tls is None
    assert (problem.path, problem.severity) == ("p.tls", "warning")
    shown = "foo" if isinstance(written, dict) else written
    assert problem.message == f'is switched off by "{shown}"; write true to switch it on'


def test_a_value_of_a_group_that_takes_none_is_told() -> None:
    value, (problem,) = one({"group": {"": "false", "name": "n"}})
    assert value.group.name == "n"
    assert (problem.path, problem.severity) == ("group", "warning")
    assert problem.message == 'the group has options only; "false" has no effect'
    assert one({"group": {"": "true", "name": "n"}})[1] == []


@pytest.mark.parametrize("names", [",", "a,,b", "a,", " , a", ["a", ""], ["a", None]])
def test_names_have_no_gaps(names: Any) -> None:
    value, problems = one({"guards": names}, path="p")
    assert value.guards == []
    assert problems == [Problem("p.guards", "an element of the list is empty")]


@pytest.mark.parametrize(("names", "read"), [("", []), (" ", []), (" a , b", ["a", "b"]), ([], [])])
def test_names(names: Any, read: list[str]) -> None:
    value, problems = one({"guards": names})
    assert (value.guards, problems) == (read, [])


def test_dots_in_the_names_of_a_map() -> None:
    raw = {"X": {"Bar": "b", "": "x", "y": {"z": "deep"}}, "plain": "p"}
    value, problems = one({"headers": raw}, text=True)
    assert problems == []
    assert value.headers == {"X": "x", "X.Bar": "b", "X.y.z": "deep", "plain": "p"}
    # A file can write the dot itself.
    _, problems = one({"headers": raw})
    assert [problem.path for problem in problems] == ["headers.X"]


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        ({"tgas": "a"}, "p.tgas", 'unknown option "tgas"; did you mean "tags"?'),
        ({"zzzzz": "a"}, "p.zzzzz", 'unknown option "zzzzz"'),
        ({"timeout": "x"}, "p.timeout", 'expected a duration such as 30s or 1m30s, got "x"'),
        ({"on": "yes"}, "p.on", 'expected true or false, got "yes"'),
        ({"ratio": "a"}, "p.ratio", 'expected a number, got "a"'),
        ({"ratio": True}, "p.ratio", 'expected a number, got "true"'),
        ({"count": "3.5"}, "p.count", 'expected an integer, got "3.5"'),
        ({"count": True}, "p.count", 'expected an integer, got "true"'),
        ({"count": 2**63}, "p.count", 'expected an integer, got "9223372036854775808"'),
        ({"count": 1}, "p.count", "expected at least 3, got 1"),
        (
            {"mode": "thre"},
            "p.mode",
            'expected one of one, three; got "thre"; did you mean "three"?',
        ),
        ({"level": "x"}, "p.level", 'expected one of low, high; got "x"'),
        ({"share": 0}, "p.share", "expected more than 0, got 0"),
        ({"share": "1.5"}, "p.share", "expected at most 1, got 1.5"),
        (
            {"group": "true"},
            "p.group",
            "cannot be a standalone element; set one of its options: name, maxAge",
        ),
        ({"group": {"nam": 1}}, "p.group.nam", 'unknown option "nam"; did you mean "name"?'),
        (
            {"group": {"name": {"a": 1}}},
            "p.group.name",
            'expected a single value; it has no option "a"',
        ),
        ({"named": "x"}, "p.named", 'expected names with values below it, got "x"'),
        (
            {"many": [{"name": 1}, {"nme": 2}]},
            "p.many[1].nme",
            'unknown option "nme"; did you mean "name"?',
        ),
        ({"many": "x"}, "p.many", 'expected a list, got "x"'),
        ({"tags": {"a": 1}}, "p.tags", "expected a list, got a group of options"),
        ({"group": {"port": 1}}, "p.group.port", '"port" exists in labels only'),
    ],
)
def test_mistakes_are_named(raw: dict[str, Any], path: str, message: str) -> None:
    value, problems = one({**raw, "tls": True}, path="p")
    assert problems == [Problem(path, message)]
    assert value.tls == Inner()


def test_the_rest_of_a_struct_with_mistakes_is_kept() -> None:
    value, problems = one({"count": 1, "tags": "a", "group": {"name": "n", "maxAge": "x"}})
    assert (value.count, value.tags, value.group.name) == (5, ["a"], "n")
    assert [problem.path for problem in problems] == ["group.maxAge", "count"]


def test_options_that_labels_may_not_set() -> None:
    value, problems = one({"secret": "a"}, text=True)
    assert value.secret == ""
    assert problems == [Problem("secret", '"secret" cannot be set by labels; use a file')]
    assert one({"secret": "a"})[0].secret == "a"


def test_a_list_has_its_singular_name_in_labels() -> None:
    value, problems = one({"single": {"name": "a", "port": "80"}}, text=True)
    assert (value.many, problems) == ([Inner(name="a", port="80")], [])
    _, problems = one({"many": []}, text=True)
    assert problems[0].message.startswith('unknown option "many"')


def test_twice_the_same_option_in_other_case() -> None:
    _, problems = one({"tags": "a", "TAGS": "b"})
    assert problems == [Problem("TAGS", '"tags" is given twice')]


def test_dataclasses() -> None:
    decoded = decode(
        Options, {"rootcas": 5, "every": "1m", "prefixes": "/a,/b", "inner": {"name": 1}}
    )
    assert decoded.problems == []
    assert decoded.value == Options("5", 60.0, ("/a", "/b"), Inner(name="1"))


def test_missing_required_fields_of_a_dataclass() -> None:
    decoded = decode(Strict, {"also": 3}, path="x")
    assert decoded.value == Strict("", 3)
    assert decoded.problems == [Problem("x.needed", "is required")]


def test_a_model_that_refuses_as_a_whole_is_still_returned() -> None:
    class Fussy(Model):
        name: str = ""

        @model_validator(mode="after")
        def _never(self) -> "Fussy":
            raise ValueError("never good")

    decoded = decode(Fussy, {"name": "n"}, path="f")
    assert decoded.value.name == "n"
    assert decoded.problems == [Problem("f", "never good")]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
names = st.sampled_from(["tls", "group", "timeOut", "tags", "on", "mode", "named", "many", "count"])
raws = st.recursive(
    scalars,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(names | st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(names | st.text(max_size=5), raws, max_size=5), st.booleans())
def test_nothing_makes_it_raise(raw: dict[str, Any], text: bool) -> None:
    decoded = decode(Outer, raw, text=text)
    assert isinstance(decoded.value, Outer)
    assert all(problem.path and problem.message for problem in decoded.problems)
