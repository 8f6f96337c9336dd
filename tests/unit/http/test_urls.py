"""URLs without credentials."""

import pytest

from edgerouter.http.urls import without_credentials


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://bob:pass@a.test/x", "http://xxxx@a.test/x"),
        ("http://bob@a.test", "http://xxxx@a.test"),
        ("http://bob:p@ss@a.test/@x", "http://xxxx@a.test/@x"),
        ("http://bob:p/ss@a.test/x", "http://xxxx@a.test/x"),
        ("http://bob:p?ss@a.test", "http://xxxx@a.test"),
        ("http://bob:p#s/s@a.test", "http://xxxx@a.test"),
        ("http://bob:1a/b@a.test", "http://xxxx@a.test"),
        ("bob:pass@a.test:80", "xxxx@a.test:80"),
        ("//:pass@a.test", "//xxxx@a.test"),
        ("redis://:pass@a.test:6379", "redis://xxxx@a.test:6379"),
        ("http://a.test/@x", "http://a.test/@x"),
        ("http://a.test:80/x@y", "http://a.test:80/x@y"),
        ("http://a.test:80?x@y", "http://a.test:80?x@y"),
        ("http://[::1]:80/@x", "http://[::1]:80/@x"),
        ("unix:///run/a@b.sock", "unix:///run/a@b.sock"),
        ("a.test:80", "a.test:80"),
    ],
)
def test_credentials(url: str, expected: str) -> None:
    assert without_credentials(url, "xxxx@") == expected
    assert without_credentials(url) == expected.replace("xxxx@", "")
