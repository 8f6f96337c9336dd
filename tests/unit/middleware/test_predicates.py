"""Conditions."""

from collections.abc import Mapping

import pytest

from edgerouter.middleware.base import BuildError
from edgerouter.middleware.predicates import Function, condition

State = Mapping[str, object]
FUNCTIONS = {
    "Number": Function(0, lambda: lambda state: state["number"], float),
    "Plus": Function(2, lambda a, b: lambda _: a + b, float),
    "Yes": Function(0, lambda: lambda _: True, bool),
    "Name": Function(0, lambda: lambda state: state["name"], str),
}
STATE: State = {"number": 5, "name": "GET"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Number() == 5", True),
        ("Number() != 5", False),
        ("Number() < 5.5", True),
        ("Number() <= 5", True),
        ("Number()>5", False),
        ("Number() >= 5", True),
        ("Plus(1, 2.5) == 3.5", True),
        ("Yes()", True),
        ('Name() == "GET"', True),
        ("Name() != `GET`", False),
        ("Number() == 1 && Yes() || Yes()", True),
        ("Number() == 1 && (Yes() || Yes())", False),
        ("(Number() == 5)", True),
        ("Yes() || Number() == 1 && Number() == 1", True),
    ],
)
def test_conditions(text: str, expected: bool) -> None:
    assert condition("e", text, FUNCTIONS)(STATE) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it ends too early"),
        ("Number()", "it is a value"),
        ("Number() ==", "it ends too early"),
        ("Number() = 5", "cannot be read"),
        ("Nmber() == 5", 'did you mean "Number"'),
        ("Number == 5", r"write Number\(\)"),
        ("Plus(1) == 5", "takes 2 arguments, not 1"),
        ("Plus(1 2) == 5", "is not closed"),
        ("Plus(Number(), 2) == 5", "takes numbers"),
        ("(Yes()", "a parenthesis is not closed"),
        ("Yes() Yes()", "'Yes' was not expected"),
        ("Yes() == 1", "cannot be compared"),
        ('Number() == "x"', "cannot be compared"),
        ('Name() < "x"', "only be compared with"),
        ("Number() && Yes()", "both sides of && must be conditions"),
        ("Yes() || 1", r"both sides of \|\| must be conditions"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BuildError, match=reason) as refused:
        condition("expression", text, FUNCTIONS)
    assert str(refused.value).startswith(f"expression: {text!r} is no condition")


@pytest.mark.parametrize(("depth", "is_fine"), [(50, True), (51, False), (10_000, False)])
def test_parentheses_are_nested_so_deep_only(depth: int, is_fine: bool) -> None:
    text = "(" * depth + "Yes()" + ")" * depth
    if is_fine:
        assert condition("e", text, FUNCTIONS)(STATE)
    else:
        with pytest.raises(BuildError, match="nested more than 50 deep") as raised:
            condition("e", text, FUNCTIONS)
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("symbol", ["&&", "||"])
def test_a_long_condition_is_asked_without_recursion(symbol: str) -> None:
    text = f" {symbol} ".join(["Number() == 4"] * 5000)
    assert condition("e", text, FUNCTIONS)(STATE) is False
