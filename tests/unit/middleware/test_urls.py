"""URLs as Go writes them."""

import pytest

from edgerouter.middleware.urls import BadEscape, BadURL, escaped_path, location


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2Fb c", "/a/b%20c"),
        ("/é?", "/%C3%A9%3F"),
        ("/[x]!'()*", "/[x]!'()*"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert escaped_path(path) == expected


def test_a_bad_escape_is_named() -> None:
    with pytest.raises(BadEscape, match='"%zz"'):
        escaped_path("/%zz/x")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://X.test/a b?q=a b#f g", "http://X.test/a%20b?q=a b#f%20g"),
        ("/moved", "/moved"),
        ("", ""),
        ("https://[::1]:8080/", "https://[::1]:8080/"),
        ("https://user:pass@x.test", "https://user:pass@x.test"),
    ],
)
def test_locations(url: str, expected: str) -> None:
    assert location(url) == expected


@pytest.mark.parametrize("url", ["http://x y/", "http://x:y/", "http://x/%zz", "/\r\nX: y", "/#%z"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(BadURL):
        location(url)
