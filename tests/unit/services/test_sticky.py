from typing import Any

import pytest

from edgerouter.http.headers import Headers
from edgerouter.services.sticky import StickyCookie, default_name, old_values, server_value


def test_names_and_values_are_six_hexadecimal_and_stable() -> None:
    assert default_name("a@docker") == default_name("a@docker") != default_name("b@docker")
    assert len(default_name("a@docker")) == 6
    assert default_name("a@docker").startswith("_")


def test_values_of_old() -> None:
    name, once, twice = old_values("a")
    assert (name, once) == (b"a", b"af63bd4c8601b7be")
    assert twice == old_values(once.decode())[1]


def test_server_values_do_not_show_the_url() -> None:
    value = server_value("http://10.0.0.1:80")
    assert len(value) == 16
    assert int(value, 16)
    assert value != server_value("http://10.0.0.2:80")


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        ((), None),
        ((b"s=1",), b"1"),
        ((b"a=b; s=1; c=d",), b"1"),
        ((b"a=b;s=1",), b"1"),
        ((b"a=b", b"s=1"), b"1"),
        ((b's="1"',), b"1"),
        ((b"xs=1",), None),
        ((b"S=1",), None),
        ((b"s",), None),
        ((b"s=",), b""),
        ((b"s=1; s=2",), b"1"),
        ((b"s=a=b",), b"a=b"),
    ],
)
def test_chosen(cookies: tuple[bytes, ...], value: bytes | None) -> None:
    headers = Headers([(b"Cookie", cookie) for cookie in cookies])
    assert StickyCookie("a", {"name": "s"}).chosen(headers) == value


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({}, b"; Path=/"),
        ({"path": "/x"}, b"; Path=/x"),
        ({"domain": ".a.test"}, b"; Path=/; Domain=a.test"),
        ({"maxAge": 5}, b"; Path=/; Max-Age=5"),
        ({"maxAge": -1}, b"; Path=/; Max-Age=0"),
        ({"secure": True, "httpOnly": True}, b"; Path=/; HttpOnly; Secure"),
        ({"sameSite": "lax"}, b"; Path=/; SameSite=Lax"),
        ({"sameSite": "other"}, b"; Path=/"),
    ],
)
def test_header(options: dict[str, Any], attributes: bytes) -> None:
    cookie = StickyCookie("a", {"name": "s", **options})
    assert cookie.header(b"1") == (b"Set-Cookie", b"s=1" + attributes)


def test_names_are_cleaned_as_traefik_does() -> None:
    cookie = StickyCookie("a", {"name": "a b;c=d\r\nX:é"})
    assert cookie.name == b"a_b_c_d__X__"
    assert cookie.chosen(Headers([(b"Cookie", b"a_b_c_d__X__=1")])) == b"1"
