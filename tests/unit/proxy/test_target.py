import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.errors import BadRequest
from edgerouter.proxy.downstream.target import host_name, split_target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a", (None, "/a", None)),
        ("/a?", (None, "/a", "")),
        ("/a?b?c=/", (None, "/a", "b?c=/")),
        ("//b.test/a", (None, "//b.test/a", None)),
        ("http://b.test", ("b.test", "", None)),
        ("HTTP://b.test:81/a?b", ("b.test:81", "/a", "b")),
        ("http://b.test?x", ("b.test", "", "x")),
        ("wss://user:pw@b.test/", ("b.test", "/", None)),
        ("https://[::1]:8/", ("[::1]:8", "/", None)),
    ],
)
def test_split_target(target: str, expected: tuple[str | None, str, str | None]) -> None:
    assert split_target(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/a#b",
        "http://b.test/#",
        "*",
        "",
        "a",
        "ftp://b/",
        "http:/b/",
        "http:b",
        "http://",
        "http:///a",
    ],
)
def test_a_bad_target_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        split_target(target)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("", ""),
        ("A.Test", "a.test"),
        ("a.test.", "a.test"),
        ("a.test:8080", "a.test"),
        ("a.test:", "a.test"),
        ("a_b.test", "a_b.test"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[FE80::1%25eth0]:80", "fe80::1%25eth0"),
    ],
)
def test_host_name(authority: str, host: str) -> None:
    assert host_name(authority) == host


@pytest.mark.parametrize(
    "authority",
    [
        "a/b",
        "a b",
        "a@b",
        "a:b",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "a\x00",
        "a\n",
        "a?",
        "a#",
        "\xe4",
    ],
)
def test_a_bad_host_is_refused(authority: str) -> None:
    with pytest.raises(BadRequest):
        host_name(authority)


@given(st.text(max_size=20))
def test_a_host_name_has_nothing_that_ends_a_host(authority: str) -> None:
    try:
        host = host_name(authority)
    except BadRequest:
        return
    assert not set(host) & set("/?#@ \r\n\t[]")
