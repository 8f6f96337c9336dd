"""Every matcher: what it takes and what it leaves."""

import pytest

from edgerouter.http.message import Request
from edgerouter.routing.compiled import compile_rule
from tests.unit.routing.requests import make_request


def matches(rule: str, request: Request, syntax: str = "v3") -> bool:
    return compile_rule(rule, syntax).matches(request)


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("Host(`Example.com`)", ["example.com"], ["www.example.com", "example.co", ""]),
        ("Host(`example.com.`)", ["example.com"], ["example"]),
        ("Host(`*.x.y`)", ["a.x.y"], ["x.y", "a.b.x.y", "ax.y"]),
        ("Host(`*`)", ["a", "1.2.3.4"], [""]),
        ("Host(`::1`)", ["::1", "[::1]"], ["1"]),
        ("Host(`[::1]`)", ["::1", "[::1]"], ["1"]),
        ("Host(`.`)", [], ["", "."]),
        ("HostRegexp(`^a.+\\.x$`)", ["ab.x", "a..x"], ["a.x", "bab.x"]),
        ("HostRegexp(`b`)", ["abc"], ["ac"]),
        ("HostRegexp(`^\\pL+\\z`)", ["abc"], ["a1"]),
    ],
)
def test_host(rule: str, yes: list[str], no: list[str]) -> None:
    assert [host for host in yes + no if matches(rule, make_request(host))] == yes


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("Path(`/a`)", ["/a", "/%61"], ["/a/", "/", "/A", "/ab"]),
        ("Path(`/a%2Fb`)", ["/a%2Fb"], ["/a/b"]),
        ("Path(`/a%20b`)", [], ["/a%20b"]),
        ("PathPrefix(`/foo`)", ["/foo", "/foobar", "/foo/x"], ["/fo", "/x/foo"]),
        ("PathPrefix(`/a b`)", ["/a%20b/c"], ["/a"]),
        ("PathPrefix(`/é`)", ["/%C3%A9", "/é", "/\udcc3\udca9"], ["/%E9", "/e"]),
        ("PathRegexp(`^/[0-9]+$`)", ["/42"], ["/42/", "/x"]),
        ("PathRegexp(`b`)", ["/abc"], ["/ac"]),
        ("PathRegexp(`^/.$`)", ["/é", "/%C3%A9", "/%FF", "/\udcff"], ["/", "/ab"]),
        ("PathRegexp(`(?i)^/ABC`)", ["/abc"], ["/ab"]),
    ],
)
def test_path(rule: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes + no if matches(rule, make_request(path=path))] == yes


def test_a_path_regexp_takes_linear_time() -> None:
    rule = "PathRegexp(`^/(a+)+$`)"
    assert not matches(rule, make_request(path="/" + "a" * 50_000 + "!"))


def test_method() -> None:
    assert matches("Method(`get`)", make_request(method="GET"))
    assert not matches("Method(`GET`)", make_request(method="get"))
    assert not matches("Method(`GET`)", make_request(method="POST"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("Header(`x-version`, `2`)", True),
        ("Header(`X-VERSION`, `1`)", True),
        ("Header(`X-Version`, `12`)", False),
        ("Header(`X-Other`, `1`)", False),
        ("Header(`X-Bytes`, `é`)", True),
        ("HeaderRegexp(`X-Version`, `^[12]$`)", True),
        ("HeaderRegexp(`X-Version`, `^$`)", False),
        ("HeaderRegexp(`X-Bytes`, `^.$`)", True),
        ("HeaderRegexp(`X-Bad`, `^a.$`)", True),
        ("HeaderRegexp(`X-Other`, `.*`)", False),
    ],
)
def test_header(rule: str, expected: bool) -> None:
    headers = (
        (b"X-Version", b"1"),
        (b"x-version", b"2"),
        (b"X-Bytes", "é".encode()),
        (b"X-Bad", b"a\xff"),
    )
    assert matches(rule, make_request(headers=headers)) is expected


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("Query(`a`)", ["a", "a=", "b=1&a", "a=1&a"], [None, "", "a=1", "b"]),
        ("Query(`a`, `1`)", ["a=1", "a=2&a=1", "%61=%31"], [None, "a", "a=11", "A=1"]),
        ("Query(`a b`, `c d`)", ["a+b=c%20d"], ["a=c"]),
        ("Query(`é`, `1`)", ["%C3%A9=1", "é=1", "\udcc3\udca9=1"], ["e=1"]),
        ("Query(`a`, `1`)", ["a=1&b=%"], ["a=1;b", "a=%zz1", "a=1%"]),
        ("QueryRegexp(`a`, `^[0-9]+$`)", ["a=x&a=12"], [None, "a", "a=x"]),
        ("QueryRegexp(`a`, `^$`)", ["a", "a="], ["b", "a=1"]),
        ("QueryRegexp(`a`)", ["a"], ["a=1"]),
    ],
)
def test_query(rule: str, yes: list[str | None], no: list[str | None]) -> None:
    assert [query for query in yes + no if matches(rule, make_request(query=query))] == yes


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("ClientIP(`10.0.0.1`)", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "::1"]),
        ("ClientIP(`10.1.2.3/8`)", ["10.9.9.9", "::ffff:10.9.9.9"], ["11.0.0.1"]),
        ("ClientIP(`fe80::/10`)", ["fe80::1", "fe80::1%eth0"], ["::1", "10.0.0.1"]),
        ("ClientIP(`::ffff:10.0.0.1`)", ["10.0.0.1"], ["10.0.0.2"]),
        ("ClientIP(`0.0.0.0/0`)", ["1.2.3.4"], ["::1", "", "@"]),
    ],
)
def test_client_ip(rule: str, yes: list[str], no: list[str]) -> None:
    assert [ip for ip in yes + no if matches(rule, make_request(ip=ip))] == yes


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("Host(`a`) && Path(`/`)", True),
        ("Host(`a`) && Path(`/x`)", False),
        ("Host(`b`) || Path(`/`)", True),
        ("Host(`b`) || Path(`/x`)", False),
        ("!Host(`b`)", True),
        ("!(Host(`a`) && Path(`/`))", False),
        ("Host(`a`) && Path(`/`) && Method(`GET`)", True),
        ("Host(`a`) && Path(`/`) && Method(`PUT`)", False),
        ("Host(`b`) || Path(`/x`) || Method(`GET`)", True),
        ("Host(`b`) || Path(`/x`) || Method(`PUT`)", False),
    ],
)
def test_operators(rule: str, expected: bool) -> None:
    assert matches(rule, make_request("a")) is expected


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        ("Host(`a`, `B`)", make_request("b"), True),
        ("Host(`*.x`)", make_request("a.x"), False),
        ("HostHeader(`a`)", make_request("a"), True),
        ("HostRegexp(`{sub:[a-z]+}.x`)", make_request("abc.x"), True),
        ("HostRegexp(`{sub:[a-z]+}.x`)", make_request("abc.x.y"), False),
        ("HostRegexp(`{sub}.x`)", make_request("a.b.x"), False),
        ("HostRegexp(`X.y`, `{any:.+}.Z`)", make_request("a.b.z"), True),
        ("Path(`/a`, `/b/{id:[0-9]{2}}`)", make_request(path="/b/42"), True),
        ("Path(`/a`, `/b/{id:[0-9]{2}}`)", make_request(path="/b/42/"), False),
        ("Path(`/{x}`)", make_request(path="/a/b"), False),
        ("Path(`/a.b`)", make_request(path="/axb"), False),
        ("PathPrefix(`/x`, `/a/{id:[0-9]+}`)", make_request(path="/a/1/c"), True),
        ("PathPrefix(`/api`)", make_request(path="/apis"), True),
        ("Method(`get`, `POST`)", make_request(method="GET"), True),
        ("Headers(`A`, `1`)", make_request(headers=((b"a", b"1"),)), True),
        ("Headers(`A`, `1`, `B`, `2`)", make_request(headers=((b"a", b"1"),)), False),
        ("HeadersRegexp(`A`, `^[0-9]$`)", make_request(headers=((b"a", b"1"),)), True),
        ("Query(`a=1`, `b={n:[0-9]+}`)", make_request(query="a=1&b=42"), True),
        ("Query(`a=1`, `b={n:[0-9]+}`)", make_request(query="a=1"), False),
        ("Query(`a=1`)", make_request(query="a=2&a=1"), False),
        ("Query(`a=`)", make_request(query="a=7"), True),
        ("Query(`a`, `1`)", make_request(query="a=1"), True),
        ("Query(`a`, `1`)", make_request(query="a=2"), False),
        ("ClientIP(`10.0.0.1`, `192.0.2.0/24`)", make_request(ip="192.0.2.9"), True),
    ],
)
def test_v2(rule: str, request_: Request, expected: bool) -> None:
    assert matches(rule, request_, "v2") is expected
