"""The names a rule speaks of."""

import pytest

from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.hosts import hosts_of


@pytest.mark.parametrize(
    ("rule", "hosts"),
    [
        ("Host(`A.test`)", ("a.test",)),
        ("Host(`b.test.`) || Host(`a.test`) || Host(`b.test`)", ("b.test", "a.test")),
        ("Host(`a.test`) && !Host(`b.test`)", ("a.test",)),
        ("Host(`*.w.test`) && PathPrefix(`/x`)", ("*.w.test",)),
        ("Host(`*`)", ()),
        ("HostRegexp(`^a[.]test$`)", ()),
        ("PathPrefix(`/`)", ()),
    ],
)
def test_hosts(rule: str, hosts: tuple[str, ...]) -> None:
    assert hosts_of(compile_rule(rule).node) == hosts


def test_the_old_syntax() -> None:
    assert hosts_of(compile_rule("Host(`a.test`, `b.test`)", "v2").node) == ("a.test", "b.test")
