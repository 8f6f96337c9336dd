import pytest

from edgerouter_docker.constraints import ConstraintError, parse_constraints

LABELS = {"tier": "web", "stage": "prod-1"}


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("", True),
        ("  ", True),
        ("Label(`tier`, `web`)", True),
        ('Label("tier", "web")', True),
        ("Label(`tier`,`db`)", False),
        ("Label(`absent`, ``)", True),
        ("LabelRegex(`stage`, `prod`)", True),
        ("LabelRegex(`stage`, `^prod$`)", False),
        ("!Label(`tier`, `db`)", True),
        ("!!Label(`tier`, `db`)", False),
        ("Label(`tier`, `db`) || Label(`tier`, `web`)", True),
        ("Label(`tier`, `web`) && Label(`stage`, `x`)", False),
        # && binds tighter than ||.
        ("Label(`tier`, `web`) || Label(`a`, `b`) && Label(`c`, `d`)", True),
        ("(Label(`tier`, `web`) || Label(`a`, `b`)) && Label(`c`, `d`)", False),
        ("! ( Label(`tier`, `web`) && Label(`stage`, `prod-1`) )", False),
        ('Label("tier", "w\\u0065b")', True),
    ],
)
def test_expressions(expression: str, matches: bool) -> None:
    assert parse_constraints(expression)(LABELS) is matches


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("Label(`a`)", 'column 10: expected ",", got ")"'),
        ("Label(`a`, `b`", 'column 15: expected ")", got the end'),
        ("Lable(`a`, `b`)", 'column 1: unknown function "Lable"; did you mean "Label"?'),
        ("Host(`a`)", 'column 1: unknown function "Host"; there are Label and LabelRegex'),
        ("Label(`a`, `b`) & Label(`c`, `d`)", 'column 17: write "&&" instead of "&"'),
        ("Label(`a`, `b)", "column 12: the quoted text has no end"),
        ("Label(`a`, `b`) Label(`c`, `d`)", 'column 17: expected && or ||, got "Label"'),
        ("Label(`a`, `b`) &&", "column 19: expected Label(...) or LabelRegex(...), got the end"),
        ("Label(a, `b`)", 'column 7: expected a quoted text, got "a"'),
        ("LabelRegex(`a`, `(`)", "column 17: not a regular expression: missing )"),
        ("Label(`a`, `b`))", 'column 16: expected && or ||, got ")"'),
        ("Label('a', `b`)", 'column 7: unexpected "\'"'),
    ],
)
def test_mistakes_name_the_column(expression: str, message: str) -> None:
    with pytest.raises(ConstraintError) as error:
        parse_constraints(expression)
    assert str(error.value).startswith(message)


def test_deep_nesting_is_refused_not_a_crash() -> None:
    with pytest.raises(ConstraintError, match="nested too deeply"):
        parse_constraints("(" * 5000 + "Label(`a`, `b`)" + ")" * 5000)
