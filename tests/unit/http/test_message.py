"""Request: a changed copy."""

from edgerouter.http.message import Request


def test_a_copy_has_everything_and_the_changes() -> None:
    original = Request()
    for name in Request.__slots__:
        setattr(original, name, object())
    changed = original.evolve(method="PUT", path="/x")
    for name in Request.__slots__:
        expected = {"method": "PUT", "path": "/x"}.get(name, getattr(original, name))
        assert getattr(changed, name) == expected
