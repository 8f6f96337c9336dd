import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.errors import BadRequest
from edgerouter.proxy.paths import clean, normalise


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a///b//", "/a/b/"),
        ("/a/./b/.", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a"),
        ("/a/b/../", "/a/"),
        ("/../..", "/"),
        ("/../../a", "/a"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/%61", "/a"),
        ("/%7e%2D", "/~-"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/%252e%252e/b", "/%252e%252e/b"),
        ("/%25%32%65", "/%252e"),
        ("/a;b=1/c", "/a;b=1/c"),
        ("/[a]", "/[a]"),
        ('/"', "/%22"),
        ("/\udce4", "/%E4"),
        ("/a|b%2Fc", "/a%7Cb/c"),
        ("/x/..%2f..%2fadmin|", "/admin%7C"),
        ("/x%2F%2e%2E%2Fadmin|", "/admin%7C"),
        ("/%2525|", "/%2525%7C"),
    ],
)
def test_normalise(path: str, expected: str) -> None:
    assert normalise(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"), [("//a/../%62", "//a/../b"), ("/./|", "/./%7C"), ("/a%2f", "/a%2F")]
)
def test_without_sanitising_segments_stay(path: str, expected: str) -> None:
    assert normalise(path, sanitise=False) == expected


@pytest.mark.parametrize("path", ["/%", "/%2", "/%zz", "/%2g", "/a%", "/%%41", "/%u0041"])
def test_broken_escapes_are_refused(path: str) -> None:
    with pytest.raises(BadRequest, match="hexadecimal"):
        normalise(path)


paths = st.text(st.sampled_from('ab./%25eEfF|"\udce4~;'), max_size=24).map("/".__add__)


@given(paths)
def test_what_comes_out_is_canonical_and_cannot_climb(path: str) -> None:
    try:
        result = normalise(path)
    except BadRequest:
        return
    assert result.startswith("/")
    assert result.isascii()
    assert not {".", "..", ""} & set(result[1:].removesuffix("/").split("/")) or result == "/"
    assert normalise(result) == result
    assert clean(result) == result
