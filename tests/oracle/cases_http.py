# ruff: noqa: E501 (one case per line reads as a table)
"""Cases about requests, headers, upstream failures and services."""

import json
from typing import Any

from tests.oracle.case import Case, case, get


def echo(**order: Any) -> str:
    """Return the header that tells the upstream how to answer."""
    return "X-Echo: " + json.dumps(order)


_SPOOFED = (
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.test",
    "X-Forwarded-Port: 99",
    "X-Forwarded-Server: evil",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Uri: /evil",
    "X-Forwarded-Method: EVIL",
    "X-Forwarded-Tls-Client-Cert: evil",
    "X-Forwarded-Tls-Client-Cert-Info: evil",
    "X-Real-Ip: 1.2.3.4",
    "X-Forwarded-Unknown: x",
    "Forwarded: for=1.2.3.4",
)


def _forwarded() -> list[Case]:
    spoofing = {"untrusted": "web", "insecure": "trust", "listed": "cidr", "not listed": "foreign"}
    spoofing |= {"not appended": "noappend"}
    cases = [
        get(f"forwarded: spoofed, {name}", "/", "a.test", *_SPOOFED, ep=ep)
        for name, ep in spoofing.items()
    ]
    cases += [
        get(f"forwarded: nothing sent, {name}", "/", "a.test", ep=ep)
        for name, ep in spoofing.items()
    ]
    trusted = {
        "two fields": ("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2"),
        "list": ("X-Forwarded-For: 1.1.1.1, 2.2.2.2",),
        "empty": ("X-Forwarded-For:",),
        "proto only": ("X-Forwarded-Proto: https",),
        "host with port": ("X-Forwarded-Host: b.test:444",),
        "real address only": ("X-Real-Ip: 9.9.9.9",),
        "underscores": ("X_Forwarded_For: 1.1.1.1", "X_Real_Ip: 1.1.1.1"),
    }
    cases += [
        get(f"forwarded: trusted, {name}", "/", "a.test", *headers, ep="trust")
        for name, headers in trusted.items()
    ]
    cases += [
        get(f"forwarded: untrusted, {name}", "/", "a.test", *headers)
        for name, headers in trusted.items()
    ]
    return [
        *cases,
        get("forwarded: port of Host", "/", "a.test:8080"),
        get("forwarded: Host in upper case", "/", "A.TEST:8080"),
        get("forwarded: Host with dot", "/", "a.test."),
        case("forwarded: absolute form", "GET http://a.test:81/x HTTP/1.1\nHost: b.test"),
        get("forwarded: IPv6 host", "/", "[::1]:8080"),
        get("forwarded: stripped prefix", "/strip/x?y", "strip.test"),
        get("forwarded: stripped prefix, trusted one sent", "/strip/x", "strip.test", "X-Forwarded-Prefix: /p", ep="trust"),
        get("forwarded: stripped whole path", "/strip", "strip.test"),
        get("forwarded: stripped deep prefix", "/deep/er/x", "strip.test"),
    ]  # fmt: skip


_WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


def _connection() -> list[Case]:
    table: dict[str, tuple[str, ...]] = {
        "hop-by-hop": (
            "Connection: keep-alive, X-Hop",
            "X-Hop: 1",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic eDp5",
            "Proxy-Authenticate: Basic",
            "TE: gzip",
            "Trailer: X-T",
        ),
        "TE trailers": ("Connection: TE", "TE: trailers"),
        "listed managed field": ("Connection: X-Forwarded-Proto, X-Real-Ip", "X-Real-Ip: 1.1.1.1"),
        "listed end-to-end field": ("Connection: Accept, Cookie", "Accept: a", "Cookie: b=c"),
        "listed unknown": ("Connection: X-None",),
        "two fields": ("Connection: X-A", "Connection: X-B", "X-A: 1", "X-B: 2"),
        "upgrade without websocket": ("Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAA"),
        "upgrade field alone": ("Upgrade: websocket",),
        "repeated fields": ("X-A: 1", "x-a: 2", "X-A: 3"),
        "empty field": ("X-Empty:", "X-Blank:   "),
        "blanks": ("X-A:   b  ", "X-B:c"),
        "high bytes": ("X-A: caf\xe9",),
        "cookies": ("Cookie: a=b", "Cookie: c=d"),
        "accepted encodings": ("Accept-Encoding: br, gzip",),
        "user agent": ("User-Agent: x/1",),
        "empty user agent": ("User-Agent:",),
        "user agent twice": ("User-Agent: x/1", "User-Agent: y/2"),
        "content type twice": ("Content-Type: text/plain", "content-type: text/html"),
        "fields that come once, twice": (
            *("Content-Location: /a", "Content-Location: /b", "ETag: a", "ETag: b"),
            *("Max-Forwards: 1", "Max-Forwards: 2", "Content-Range: a", "Content-Range: b"),
        ),
        "expect something": ("Expect: nothing",),
        "date and via": ("Date: x", "Via: 1.1 x", "Server: y"),
        "underscore": ("X_A: 1", "X-A: 2"),
        "odd names": ("X!#$%&'*+.^`|~9: 1",),
        "close": ("Connection: close",),
    }
    cases = [get(f"header: {name}", "/", "a.test", *fields) for name, fields in table.items()]
    kept = ("Connection: X-Kept, X-Dropped", "X-Kept: 1", "X-Dropped: 2")
    return [
        *cases,
        get("header: kept by option", "/", "a.test", *kept, ep="conn"),
        get("header: not kept by default", "/", "a.test", *kept),
        get("header: managed field kept by option", "/", "a.test", "Connection: X-Forwarded-Proto", ep="conn"),
        get("underscores: deleted", "/", "a.test", "X_A: 1", "X-A: 2", "_: 3", ep="udelete"),
        get("underscores: rejected", "/", "a.test", "X_A: 1", ep="ureject"),
        get("underscores: nothing to reject", "/", "a.test", "X-A: a_b", ep="ureject"),
        get("underscores: dots deleted", "/", "a.test", "X.A: 1", ep="udelete"),
        get("underscores: dots rejected", "/", "a.test", "X.A: 1", ep="ureject"),
        get("websocket: accepted", "/", "a.test", *_WEBSOCKET, echo(upgrade="websocket"), tunnel=b"ping"),
        get("websocket: refused", "/", "a.test", *_WEBSOCKET),
        get("websocket: trusted https", "/", "a.test", *_WEBSOCKET, "X-Forwarded-Proto: https", ep="trust"),
        get("websocket: lower-case names", "/", "a.test", "connection: upgrade", "upgrade: WebSocket", "sec-websocket-key: x", "sec-websocket-version: 13"),
        get("upgrade: other protocol", "/", "a.test", "Connection: upgrade", "Upgrade: foo", echo(upgrade="foo"), tunnel=b"ping"),
    ]  # fmt: skip


def _requests() -> list[Case]:
    length = "Content-Length: "
    chunked = "POST / HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked"
    return [
        case("body: length", f"POST / HTTP/1.1\nHost: a.test\n{length}5", "hello"),
        case("body: length on GET", f"GET / HTTP/1.1\nHost: a.test\n{length}5", "hello"),
        case("body: length on DELETE", f"DELETE / HTTP/1.1\nHost: a.test\n{length}5", "hello"),
        case("body: none on POST", "POST / HTTP/1.1\nHost: a.test"),
        case("body: length zero", f"POST / HTTP/1.1\nHost: a.test\n{length}0"),
        case("body: length zero on GET", f"GET / HTTP/1.1\nHost: a.test\n{length}0"),
        case("body: chunked", chunked, "5\r\nhello\r\n0\r\n\r\n"),
        case("body: chunked and empty", chunked, "0\r\n\r\n"),
        case("body: chunk extension", chunked, "5;a=b\r\nhello\r\n0\r\n\r\n"),
        case("body: chunked with trailers", f"{chunked}\nTrailer: X-T", "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"),
        case("body: trailers not announced", chunked, "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"),
        case("body: bad chunk size", chunked, "zz\r\nhello\r\n0\r\n\r\n"),
        case("body: chunk size of 16 digits", chunked, "0000000000000005\r\nhello\r\n0\r\n\r\n"),
        case("body: chunk size of 17 digits", chunked, "0" * 16 + "5\r\nhello\r\n0\r\n\r\n"),
        case("body: length and chunked", f"{chunked}\n{length}5", "5\r\nhello\r\n0\r\n\r\n"),
        case("body: two lengths, equal", f"POST / HTTP/1.1\nHost: a.test\n{length}5\n{length}5", "hello"),
        case("body: two lengths", f"POST / HTTP/1.1\nHost: a.test\n{length}5\n{length}6", "hello"),
        case("body: negative length", f"POST / HTTP/1.1\nHost: a.test\n{length}-1"),
        case("body: length of 64 bits", f"POST / HTTP/1.1\nHost: a.test\n{length}9223372036854775808", "hello"),
        case("body: length with plus", f"POST / HTTP/1.1\nHost: a.test\n{length}+5", "hello"),
        case("body: length is no number", f"POST / HTTP/1.1\nHost: a.test\n{length}x"),
        case("body: unknown coding", "POST / HTTP/1.1\nHost: a.test\nTransfer-Encoding: gzip"),
        case("body: identity coding", "POST / HTTP/1.1\nHost: a.test\nTransfer-Encoding: identity"),
        case("body: chunked twice", "POST / HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        case("body: coding in HTTP/1.0", "POST / HTTP/1.0\nHost: a.test\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        case("body: continue", f"POST / HTTP/1.1\nHost: a.test\nExpect: 100-continue\n{length}5", b"", b"hello"),
        case("request: two on one connection", "GET /1 HTTP/1.1\nHost: a.test\n\nGET /2 HTTP/1.1\nHost: exact.test", count=2),
        case("request: HTTP/1.0", "GET / HTTP/1.0\nHost: a.test", watch_close=2),
        case("request: HTTP/1.0 keep-alive", "GET / HTTP/1.0\nHost: a.test\nConnection: keep-alive"),
        case("request: HTTP/1.0 without Host", "GET / HTTP/1.0"),
        case("request: close", "GET / HTTP/1.1\nHost: a.test\nConnection: close", watch_close=2),
        case("request: HEAD", "HEAD /x HTTP/1.1\nHost: a.test"),
        case("request: HEAD without route", "HEAD /x HTTP/1.1\nHost: nobody.test"),
        case("request: OPTIONS", "OPTIONS /x HTTP/1.1\nHost: a.test"),
        case("request: OPTIONS *", "OPTIONS * HTTP/1.1\nHost: a.test"),
        case("request: GET *", "GET * HTTP/1.1\nHost: a.test"),
        case("request: TRACE", "TRACE / HTTP/1.1\nHost: a.test"),
        case("request: CONNECT", "CONNECT a.test:443 HTTP/1.1\nHost: a.test:443"),
        case("request: absolute form", "GET http://a.test/x?y HTTP/1.1\nHost: other.test"),
        case("request: absolute form, upper case", "GET HTTP://A.TEST/x HTTP/1.1\nHost: a.test"),
        case("request: absolute form, https", "GET https://a.test/x HTTP/1.1\nHost: a.test"),
        case("request: absolute form without path", "GET http://a.test HTTP/1.1\nHost: a.test"),
        case("request: absolute form with query only", "GET http://a.test?x HTTP/1.1\nHost: a.test"),
        case("request: absolute form with user", "GET http://u:p@a.test/x HTTP/1.1\nHost: a.test"),
        case("request: absolute form without Host", "GET http://a.test/x HTTP/1.1"),
        case("bad: no Host", "GET / HTTP/1.1"),
        case("bad: two Hosts", "GET / HTTP/1.1\nHost: a.test\nHost: a.test"),
        case("bad: empty Host", "GET / HTTP/1.1\nHost:"),
        case("bad: Host with a space", "GET / HTTP/1.1\nHost: a b"),
        case("bad: Host with a space, absolute form", "GET http://a.test/ HTTP/1.1\nHost: a b"),
        case("bad: Host with a slash", "GET / HTTP/1.1\nHost: a.test/x"),
        case("bad: Host with a user", "GET / HTTP/1.1\nHost: u@a.test"),
        case("bad: Host with a bad port", "GET / HTTP/1.1\nHost: a.test:x"),
        case("bad: relative target", "GET x HTTP/1.1\nHost: a.test"),
        case("bad: space in target", "GET /a b HTTP/1.1\nHost: a.test"),
        case("bad: no version", "GET /\nHost: a.test"),
        case("bad: version 3.0", "GET / HTTP/3.0\nHost: a.test"),
        case("bad: version 1.2", "GET / HTTP/1.2\nHost: a.test"),
        case("bad: version is no version", "GET / FOO/1.1\nHost: a.test"),
        case("bad: space before the colon", "GET / HTTP/1.1\nHost: a.test\nX-A : b"),
        case("bad: field without colon", "GET / HTTP/1.1\nHost: a.test\nnonsense"),
        case("bad: empty field name", "GET / HTTP/1.1\nHost: a.test\n: x"),
        case("bad: control character in a field", "GET / HTTP/1.1\nHost: a.test\nX-A: a\x01b"),
        case("bad: null in a field", "GET / HTTP/1.1\nHost: a.test\nX-A: a\x00b"),
        case("bad: tab in a field", "GET / HTTP/1.1\nHost: a.test\nX-A: a\tb"),
        case("bad: folded field", "GET / HTTP/1.1\nHost: a.test\nX-A: a\n b"),
        case("bad: space in a name", "GET / HTTP/1.1\nHost: a.test\nX A: b"),
        case("bad: method", "G@T / HTTP/1.1\nHost: a.test"),
        case("bad: control character in the target", "GET /\x01 HTTP/1.1\nHost: a.test"),
        case("bad: empty line first", "\nGET / HTTP/1.1\nHost: a.test"),
        get("limit: large header", "/", "a.test", "X-A: " + "x" * 8000, ep="small"),
        get("limit: header within", "/", "a.test", "X-A: " + "x" * 500, ep="small"),
        get("limit: header a little larger", "/", "a.test", "X-A: " + "x" * 4000, ep="small"),
        get("limit: very many fields", "/", "exact.test", *(f"X-{index}: 1" for index in range(600))),
        get("limit: long target", "/" + "x" * 8000, "a.test", ep="small"),
        get("limit: large header on a wide entry point", "/", "exact.test", "X-A: " + "x" * 60000),
        get("limit: many fields", "/", "exact.test", *(f"X-{index}: 1" for index in range(300))),
        case("limit: slow body", f"POST / HTTP/1.1\nHost: a.test\n{length}5", "he", ep="slow"),
        case("limit: requests on a connection", "GET /1 HTTP/1.1\nHost: a.test\n\nGET /2 HTTP/1.1\nHost: a.test", count=2, ep="short", watch_close=2),
    ]  # fmt: skip


def _redirections() -> list[Case]:
    cases = []
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
        head = f"{method} /x%20y?a=b HTTP/1.1\nHost: a.test"
        cases.append(case(f"redirection: permanent {method}", head, ep="redirect"))
        cases.append(case(f"redirection: temporary {method}", head, ep="temporary"))
        for host in ("redirected.test", "moved.test"):
            head = f"{method} /x?a=b HTTP/1.1\nHost: {host}"
            cases.append(case(f"redirect middleware: {host} {method}", head))
    return [
        *cases,
        get("redirection: port is replaced", "/", "a.test:8080", ep="temporary"),
        get("redirection: no Host to keep", "/", "[::1]:8080", ep="temporary"),
        get("redirection: unknown host", "/", "nobody.test", ep="redirect"),
        get("redirection: low priority", "/", "a.test", ep="lowredirect"),
        get("redirection: low priority, no router", "/", "nobody.test", ep="lowredirect"),
        get("redirect regexp", "/x?y=z", "matched.test:8080"),
    ]  # fmt: skip


def _answers() -> list[Case]:
    def answer(name: str, *fields: str, host: str = "a.test", **order: Any) -> Case:
        return get(f"answer: {name}", "/", host, *fields, echo(**order))

    cases = [
        answer(f"status {status}", status=status, body="x")
        for status in (201, 204, 304, 418, 500, 503, 599)
    ]
    ok = "HTTP/1.1 200 OK\r\n"
    return [
        *cases,
        answer("headers", headers=[["X-A", "1"], ["x-a", "2"], ["Server", "s"], ["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"], ["Location", "/x"], ["Via", "x"]]),
        answer("hop-by-hop", headers=[["Connection", "X-Hop"], ["X-Hop", "1"], ["Keep-Alive", "x"], ["Proxy-Authenticate", "x"], ["Upgrade", "x"]]),
        answer("chunked", chunked=True, body="hello"),
        answer("trailers", chunked=True, body="hello", headers=[["Trailer", "X-T"]], trailers=[["X-T", "1"]]),
        answer("trailers not announced", chunked=True, body="hello", trailers=[["X-T", "1"]]),
        answer("early hints", interim=[[103, [["Link", "</x>"]]]], body="x"),
        answer("two interim", interim=[[103, [["Link", "</x>"]]], [102, []]], body="x"),
        answer("no content type", body="<html>"),
        answer("until the end", raw=ok + "\r\nhello"),
        answer("version 1.0", raw="HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        answer("odd reason", raw="HTTP/1.1 200 Fine and dandy\r\nContent-Length: 0\r\n\r\n"),
        answer("no reason", raw="HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        answer("date kept", raw=ok + "Date: x\r\nContent-Length: 0\r\n\r\n"),
        answer("latin-1 value", headers=[["X-A", "caf\xe9"]], body=""),
        answer("equal lengths", raw=ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        answer("different lengths", raw=ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        answer("chunked with a length", raw=ok + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        answer("204 with a length", raw="HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
        answer("304 with a type", raw="HTTP/1.1 304 Not Modified\r\nContent-Type: text/plain\r\nETag: \"x\"\r\n\r\n"),
        answer("304 with a length", raw="HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n"),
        answer("nothing", raw=""),
        answer("garbage", raw="garbage\r\n\r\n"),
        answer("bad status", raw="HTTP/1.1 abc OK\r\n\r\n"),
        answer("bad field", raw=ok + "nonsense\r\n\r\n"),
        answer("bad length", raw=ok + "Content-Length: x\r\n\r\n"),
        answer("cut head", raw="HTTP/1.1 200 OK\r\nContent-"),
        answer("cut body", raw=ok + "Content-Length: 50\r\n\r\nhello"),
        answer("cut chunks", raw=ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        answer("no upgrade asked", upgrade="foo"),
        case("answer: HEAD with length", f"HEAD / HTTP/1.1\nHost: a.test\n{echo(length=1234)}"),
        case("answer: HEAD chunked", f"HEAD / HTTP/1.1\nHost: a.test\n{echo(chunked=True)}"),
        case("answer: POST nothing", f"POST / HTTP/1.1\nHost: a.test\n{echo(raw='')}\nContent-Length: 1", "x"),
        answer("chunked for HTTP/1.0", chunked=True, body="x", host="a.test"),
        case("answer: chunked to HTTP/1.0", f"GET / HTTP/1.0\nHost: a.test\n{echo(chunked=True, body='hello')}"),
        answer("too slow", host="hurried.test", delay=1.0),
        answer("quick enough", host="hurried.test", delay=0.05),
        get("answer: refused", "/", "refused.test"),
        get("answer: no server", "/", "empty.test"),
        get("answer: gzip passes", "/", "a.test", "Accept-Encoding: gzip", echo(headers=[["Content-Encoding", "gzip"]], body="x")),
    ]  # fmt: skip


def _services() -> list[Case]:
    return [
        get("service: path of the server is ignored", "/x?a=b", "based.test"),
        get("service: path preserved", "/x?a=b", "preserved.test"),
        get("service: path preserved, root", "/", "preserved.test"),
        get("service: path preserved, slash", "/x", "preserved-slash.test"),
        get("service: path preserved, escapes", "/x%2Fy", "preserved.test"),
        get("service: path preserved, odd", "/x", "preserved-odd.test"),
        get("service: path preserved, escapes of its own", "/x%2Fy", "preserved-escapes.test"),
        get("service: path preserved, bad escape", "/x", "preserved-bad.test"),
        get("service: URL with line breaks", "/x", "broken-url.test"),
        get("service: Host not passed", "/", "nohost.test:8080"),
        get("service: Host not passed, user in the URL", "/", "nohost-user.test"),
        get("sticky: new client", "/", "sticky.test"),
        get("sticky: named", "/", "sticky-named.test"),
        get("sticky: attributes", "/", "sticky-strict.test"),
        get("sticky: expired", "/", "sticky-expired.test"),
        get("sticky: unknown value", "/", "sticky-named.test", "Cookie: lb=nonsense"),
        get("sticky: other cookies pass", "/", "sticky-named.test", "Cookie: a=b; c=d"),
    ]  # fmt: skip


CASES = [
    *_forwarded(),
    *_connection(),
    *_requests(),
    *_redirections(),
    *_answers(),
    *_services(),
]
