"""Replacing as Go does it; expected values are those of Go's ``Regexp.ReplaceAllString``."""

import pytest

from edgerouter.routing.regex import RegexError
from edgerouter.routing.replacement import Replacement


@pytest.mark.parametrize(
    ("expression", "template", "text", "expected"),
    [
        ("a", "b", "banana", "bbnbnb"),
        ("(a)(n)", "$2$1", "banana", "bnanaa"),
        ("(a)", "$1x", "ba", "b"),
        ("(a)", "${1}x", "ba", "bax"),
        ("(?P<one>a)", "<$one>", "ba", "b<a>"),
        ("(?P<one>a)", "<${one}>", "ba", "b<a>"),
        ("(?P<one>a)", "<$two$3>", "ba", "b<>"),
        ("(a)", "$$1", "ba", "b$1"),
        ("(a)", "$", "ba", "b$"),
        ("(a)", "${1", "ba", "b${1"),
        ("(a)", "$01", "ba", "b"),
        ("a", "$0$0", "ba", "baa"),
        ("(x)?a", "[$1]", "ba", "b[]"),
        ("x*", "-", "axxb", "-a-b-"),
        ("", "-", "é", "-é-"),
        ("^", "-", "abc", "-abc"),
        ("é", "e", "café", "cafe"),
        ("c", "é", "\udcffc", "\udcffé"),
        (r"\bb", "x", "ab b", "ab x"),
    ],
)
def test_replacements(expression: str, template: str, text: str, expected: str) -> None:
    assert Replacement(expression, template)(text) == expected


def test_without_a_match_there_is_nothing() -> None:
    assert Replacement("x", "y")("abc") is None


def test_bad_expressions_are_refused() -> None:
    with pytest.raises(RegexError, match="look-ahead"):
        Replacement("(?!a)", "b")
