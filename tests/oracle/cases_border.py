# ruff: noqa: E501 (one case per line reads as a table)
"""Cases about request lines, old clients, odd names: what happens before a router is chosen."""

from tests.oracle.case import Case, case, get
from tests.oracle.cases_http import echo

_CHUNKED = echo(chunked=True, body="hello")


def _lines() -> list[Case]:
    table = {
        "two spaces before the target": "GET  / HTTP/1.1",
        "two spaces before the version": "GET /  HTTP/1.1",
        "space behind the version": "GET / HTTP/1.1 ",
        "tab": "GET\t/ HTTP/1.1",
        "lower-case version": "GET / http/1.1",
        "other protocol": "SOURCE / ICE/1.0",
        "DEL in the target": "GET /\x7f HTTP/1.1",
        "odd token": "a!#$%&'*+-.^_`|~9 / HTTP/1.1",
        "method of RTSP": "DESCRIBE / HTTP/1.1",
        "high bytes": "GET /\xc3\xa9?\xff HTTP/1.1",
        "high bytes in absolute form": "GET http://a.test/\xe9 HTTP/1.1",
        "user with a backslash": "GET http://a\\@a.test/ HTTP/1.1",
        "foreign scheme": "GET ftp://a.test/x HTTP/1.1",
    }
    return [case(f"line: {name}", f"{line}\nHost: a.test") for name, line in table.items()]


def _names() -> list[Case]:
    odd = [f"X{mark}A" for mark in "_.!#~'|*+^`%&$"]
    odd += ["_", "Content_Length", "X_Forwarded_For", "X.Real.Ip", "X-A_"]
    cases = [
        get(f"alias {ep}: {name}", "/", "a.test", f"{name}: 1", ep=ep)
        for name in odd
        for ep in ("adelete", "areject")
    ]
    everything = [f"{name}: 1" for name in odd]
    return [*cases, get("alias: kept", "/", "a.test", *everything, ep="akeep")]


def _old_clients() -> list[Case]:
    old = "GET / HTTP/1.0\nHost: a.test"
    keep = f"{old}\nConnection: keep-alive"
    expect = "POST / HTTP/1.0\nHost: a.test\nExpect: 100-continue\nContent-Length: 5"
    return [
        case("1.0: closes", old, watch_close=2),
        case("1.0: no Host", "GET / HTTP/1.0", watch_close=2),
        case("1.0: empty Host", "GET / HTTP/1.0\nHost:", watch_close=2),
        case("1.0: two Hosts", f"{old}\nHost: a.test", watch_close=2),
        case("1.0: keep-alive", keep, watch_close=0.3),
        case("1.0: keep-alive, two requests", f"{keep}\n\n{keep}", count=2, watch_close=0.3),
        case("1.0: keep-alive and close", f"{old}\nConnection: close, keep-alive", watch_close=0.3),
        case("1.0: chunked answer", f"{old}\n{_CHUNKED}", watch_close=2),
        case("1.0: chunked answer, keep-alive", f"{keep}\n{_CHUNKED}", watch_close=2),
        case("1.0: HEAD, keep-alive", f"HEAD / HTTP/1.0\nHost: a.test\nConnection: keep-alive\n{echo(length=9)}", watch_close=0.3),
        case("1.0: body", "POST / HTTP/1.0\nHost: a.test\nContent-Length: 5", "hello", watch_close=2),
        case("1.0: early hints", f"{old}\n{echo(interim=[[103, []]], body='x')}", watch_close=2),
        case("1.0: expectation", expect, "hello", watch_close=2),
    ]  # fmt: skip


def _proxies() -> list[Case]:
    binary = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x01\x01\x01\x01\x10\x00\x00P"
    headers = {
        "text": b"PROXY TCP4 192.0.2.7 1.1.1.1 4096 80\r\n",
        "binary": binary,
        "unknown": b"PROXY UNKNOWN\r\n",
        "malformed": b"PROXY TCP4 x y 1 2\r\n",
        "none": b"",
    }
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    return [
        Case(f"proxy header {ep}: {name}", (header + request,), entrypoint=ep)
        for name, header in headers.items()
        for ep in ("proxied", "unproxied", "web")
    ]


CASES = [*_lines(), *_names(), *_old_clients(), *_proxies()]
