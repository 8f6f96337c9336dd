"""Request: a changed copy."""

from inspect import isdatadescriptor

from edgerouter.http.message import Request
from tests.unit.middleware.exchange import request

NAMES = {name for name, value in vars(Request).items() if isdatadescriptor(value)}
"""Attributes, whether the class is compiled or not."""


def test_a_copy_has_everything_and_the_changes() -> None:
    original = request("/a", query="b")
    changed = original.evolve(method="PUT", path="/x")
    assert {"method", "path", "inform"} < NAMES
    for name in NAMES:
        expected = {"method": "PUT", "path": "/x"}.get(name, getattr(original, name))
        assert getattr(changed, name) == expected
