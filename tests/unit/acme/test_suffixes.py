"""Which domains may have a wildcard."""

import pytest

from edgerouter.acme.suffixes import domain_above


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a.example.com", "example.com"),
        ("x.a.example.com", "a.example.com"),
        ("*.example.com", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("a.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a.home.arpa", ""),
        ("example.com", ""),
        ("example.co.uk", ""),
        ("me.github.io", ""),
        ("router.lan", ""),
        ("localhost", ""),
        ("192.0.2.1", ""),
        ("2001:db8::1", ""),
    ],
)
def test_the_domain_above_a_name(name: str, domain: str) -> None:
    assert domain_above(name) == domain
