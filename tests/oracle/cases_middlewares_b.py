# ruff: noqa: E501 (one case per line reads as a table)
"""Cases about the middlewares of ``config_middlewares_b.py``."""

import json
from typing import Any

from tests.oracle.case import Case, case, get
from tests.oracle.config_middlewares_b import ODD


def ask(middleware: str, target: str, *headers: str, ep: str = "web") -> Case:
    label = f"{middleware}: {target}" + "".join(f", {header[:60]}" for header in headers)
    return get(
        f"{label}{'' if ep == 'web' else f' on {ep}'}",
        target,
        f"{middleware}.m.test",
        *headers,
        ep=ep,
    )


def send(middleware: str, method: str, target: str = "/", body: str = "") -> Case:
    head = f"{method} {target} HTTP/1.1\nHost: {middleware}.m.test"
    head += f"\nContent-Length: {len(body)}" if body else ""
    return case(f"{middleware}: {method} {target} {len(body)}", head, body)


_REWRITING = [
    ask("rr", "/old/x?y=z"),
    ask("rr", "/old/x?y;z"),
    ask("rr", "/old/%2F%20x"),
    ask("rr", "/old/caf%C3%A9"),
    ask("rr", "/new/x"),
    ask("rr", "/old/x", "X-Forwarded-Proto: https", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: HTTPS", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: wss", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: https"),
    send("rr", "HEAD", "/old/x"),
    send("rr", "POST", "/old/x", "body"),
    ask("rr-named", "/x/y"),
    ask("rr-named", "/x/y", "X-Forwarded-Proto: https", ep="trust"),
    send("rr-named", "PUT", "/x/y"),
    send("rr-named", "HEAD", "/x/y"),
    ask("rr-float", "/aaa?a=a"),
    ask("rr-same", "/x?y"),
    ask("rr-long-name", "/x"),
    ask("rr-dollar", "/x"),
    ask("rr-space", "/x"),
    ask("rr-escape", "/x"),
    ask("rr-badhost", "/x"),
    ask("rr-badport", "/x"),
    ask("rr-relative", "/x"),
    ask("rr-relative", "/"),
    ask("rr-empty", "/x"),
    ask("rr-optional", "/y/xy"),
    ask("rr-bad", "/x"),
    *(ask(f"rr-odd-{number}", target) for number in range(len(ODD)) for target in ("/", "/x?y", "/a%2Fb")),
    *(ask(name, "/x?y", f"X-Forwarded-Proto: {proto}", ep="trust") for name in ("rs", "rs-http") for proto in ("https", "HTTP", "wss", "ftp", "https, http", "")),
    *(ask(name, target) for name in ("ap", "ap-plain", "ap-none") for target in ("/", "/y%2Fz?a", "/caf%C3%A9")),
    *(ask("sp", target) for target in ("/foo", "/foobar/x", "/fo%6F/x", "/FOO", "/foo//x", "/foo/%2e%2e/x")),
    ask("sp-none", "/foo"),
    ask("rr-query", "/x?a=b&c;d"),
    ask("rr-query", "/x"),
    ask("rp", "/a/b?c=d"),
    ask("rp", "/a%2Fb"),
    ask("rp", "/caf%C3%A9", "X-Replaced-Path: /mine"),
    ask("rp-escaped", "/x?y"),
    ask("rp-empty", "/x"),
    ask("rp-utf8", "/x"),
    ask("rpr", "/api/x/y?z=1"),
    ask("rpr", "/api/"),
    ask("rpr", "/api"),
    ask("rpr", "/api/a%2Fb%20c"),
    ask("rpr", "/api/caf%C3%A9"),
    ask("rpr-all", "/abab/b"),
    ask("rpr-bounds", "/axxb"),
    ask("rpr-slashes", "/api/x"),
    ask("rpr-dots", "/api/x"),
    ask("rpr-noslash", "/api/x"),
    ask("rpr-noslash", "/api/"),
    ask("rpr-none", "/api/x"),
    ask("rpr-escape", "/api/x"),
    ask("rpr-space", "/api/x"),
    ask("rpr-query", "/api/x?a=b"),
    ask("rpr-bad", "/api/x"),
    ask("spr", "/a/12/x"),
    ask("spr", "/a/12"),
    ask("spr", "/a/x/12"),
    ask("spr", "/b/xyz/d?e"),
    ask("spr", "/c"),
    ask("spr", "/cx"),
    ask("spr", "/x/c/y"),
    ask("spr", "/c//x"),
    ask("spr", "/c/../x"),
    ask("spr", "/c%2Fx%2Fy"),
    ask("spr", "/%63/x%20y"),
    ask("spr-space", "/a%20b/c"),
    ask("spr-empty", "/"),
    ask("spr-empty", "/xx"),
    ask("spr-bad", "/"),
]  # fmt: skip


def echo(**order: Any) -> str:
    """Return the header that tells the upstream how to answer."""
    return "X-Echo: " + json.dumps(order)


_ERRORS = [
    ask("err", "/x?y=z", echo(status=200)),
    ask("err", "/x?y=z&a b", echo(status=404)),
    ask("err", "/x?y=z", echo(status=404, headers=[["X-A", "b"], ["Set-Cookie", "a=b"]], body="gone")),
    ask("err", "/x", echo(status=503)),
    ask("err", "/x", echo(status=499)),
    ask("err", "/caf%C3%A9%2F", echo(status=500)),
    send("err", "POST", "/x", "body"),
    ask("err-rewrite", "/x", echo(status=418)),
    ask("err-rewrite", "/x", echo(status=502)),
    ask("err-rewrite", "/x", echo(status=404)),
    ask("err-escape", "/x", echo(status=500)),
    ask("err-no-names", "/x", "X-Kept: 1", echo(status=500)),
    ask("err-none", "/x"),
    ask("err-bad", "/x"),
    ask("err-header", "/x", "X-Kept: 1", "X-Lost: 2", echo(status=500)),
    ask("err-noquery", "/x?y", echo(status=500)),
    ask("err-down", "/x", echo(status=500)),
    ask("err-up", "/x?y=z"),
]  # fmt: skip


def fail(middleware: str, method: str, body: str = "", status: int = 503) -> Case:
    """Make a case of which it counts how often the server was asked: it fails each time."""
    length = f"\nContent-Length: {len(body)}" if body else ""
    head = f"{method} /x HTTP/1.1\nHost: {middleware}.m.test\n{echo(status=status)}{length}"
    return case(f"{middleware}: {method} {len(body)} fails with {status}", head, body)


_REPEATING = [
    *(fail("re-status", method) for method in ("GET", "HEAD", "DELETE", "POST", "PATCH")),
    fail("re-status", "PUT", "short"),
    fail("re-status", "POST", "short"),
    fail("re-status", "PUT", "longer than ten"),
    fail("re-status", "GET", status=404),
    fail("re-all", "POST", "body"),
    fail("re-all", "LOCK"),
    fail("re", "GET"),
    ask("re", "/x", echo(status=503)),
    ask("re", "/x"),
    send("re", "POST", "/x", "body"),
    ask("re-status", "/x", echo(status=503)),
    ask("re-status", "/x", echo(status=404)),
    send("re-status", "PUT", "/x", "short"),
    send("re-status", "PUT", "/x", "longer than ten"),
    send("re-all", "POST", "/x", "body"),
    ask("re-only", "/x"),
    ask("re-zero", "/x"),
    ask("re-bad", "/x"),
    ask("re-refused", "/x"),
    send("re-refused", "POST", "/x", "body"),
]

_BREAKING = [
    ask("cb", "/x", echo(status=200)),
    ask("cb-code", "/x"),
    ask("cb-code", "/again"),
    ask("cb-code", "/and-again"),
    ask("cb-empty", "/"),
    ask("cb-bad", "/"),
    ask("cb-value", "/"),
    ask("cb-open", "/"),
    ask("cb-threshold", "/"),
]

_LONG = "compress me " * 200
_GZIP = "Accept-Encoding: gzip"


def page(
    middleware: str, *headers: str, kind: str = "text/plain", body: str = _LONG, **order: Any
) -> Case:
    """Ask for a page that may be compressed."""
    more = order.pop("headers", [])
    said = [kind or "no type", str(len(body)), *(f"{key} {value}" for key, value in order.items())]
    said += [f"{name}: {value}" for name, value in more]
    said += [header.replace("Accept-Encoding", "accept") for header in headers]
    fields = [["Content-Type", kind], *more] if kind else more
    asking = (*headers, echo(headers=fields, body=body, **order))
    return get(f"{middleware}: {', '.join(said)}", "/", f"{middleware}.m.test", *asking)


_COMPRESSING = [
    page("co"),
    page("co", _GZIP),
    page("co", "Accept-Encoding: br"),
    page("co", "Accept-Encoding: zstd"),
    page("co", "Accept-Encoding: gzip, br, zstd"),
    page("co", "Accept-Encoding: br, zstd"),
    page("co", "Accept-Encoding: gzip;q=0.5, br;q=0.8"),
    page("co", "Accept-Encoding: gzip;q=0.5, br;q=0.5, zstd;q=0.4"),
    page("co", "Accept-Encoding: gzip;q=0"),
    page("co", "Accept-Encoding: gzip;q=0, br"),
    page("co", "Accept-Encoding: br;q=x"),
    page("co", "Accept-Encoding: br; q=0.4, zstd ;q=0.9"),
    page("co", "Accept-Encoding: *"),
    page("co", "Accept-Encoding: *;q=0"),
    page("co", "Accept-Encoding: br;q=0.5, *;q=0.1"),
    page("co", "Accept-Encoding: identity"),
    page("co", "Accept-Encoding: identity, gzip"),
    page("co", "Accept-Encoding: identity;q=1, br;q=0.5"),
    page("co", "Accept-Encoding: identity;q=0"),
    page("co", "Accept-Encoding:"),
    page("co", "Accept-Encoding: deflate"),
    page("co", "Accept-Encoding: br", "Accept-Encoding: zstd"),
    page("co", "Accept-Encoding: BR"),
    page("co", "Accept-Encoding: x-gzip"),
    page("co-order", "Accept-Encoding: gzip, br, zstd"),
    page("co-order", "Accept-Encoding: *"),
    page("co-order", "Accept-Encoding: gzip, br"),
    page("co-default"),
    ask("co-refused", "/", _GZIP),
    ask("ct-refused", "/"),
    page("co-default-gzip"),
    page("co-default-gzip", "Accept-Encoding: *"),
    page("co-default-gzip", "Accept-Encoding:"),
    page("co-default", "Accept-Encoding: *"),
    page("co-default", "Accept-Encoding: gzip"),
    page("co-default", "Accept-Encoding:"),
    page("co", _GZIP, body="x" * 99),
    page("co", _GZIP, body="x" * 100),
    page("co", _GZIP, body=""),
    page("co", "Accept-Encoding: br", body="x" * 99),
    page("co", "Accept-Encoding: br", body="x" * 100),
    page("co", "Accept-Encoding: br", body="x" * 50, chunked=True),
    page("co", _GZIP, body="x" * 50, chunked=True),
    page("co", _GZIP, chunked=True),
    page("co", "Accept-Encoding: br", chunked=True),
    page("co", "Accept-Encoding: br", chunked=True, headers=[["Trailer", "X-End"]], trailers=[["X-End", "1"]]),
    page("co", _GZIP, status=404),
    page("co", _GZIP, status=204, body=""),
    page("co", _GZIP, status=304, body=""),
    page("co", _GZIP, headers=[["Content-Encoding", "x-own"]]),
    page("co", "Accept-Encoding: br", headers=[["Content-Encoding", "x-own"]]),
    page("co", _GZIP, headers=[["Vary", "Origin"]]),
    page("co", "Accept-Encoding: br", headers=[["Vary", "Accept-Encoding"]]),
    page("co", _GZIP, headers=[["ETag", '"abc"']]),
    page("co", _GZIP, headers=[["ETag", 'W/"abc"']]),
    page("co", _GZIP, headers=[["Accept-Ranges", "bytes"]]),
    page("co", "Accept-Encoding: br", headers=[["Accept-Ranges", "bytes"]]),
    page("co", _GZIP, status=206, headers=[["Content-Range", "bytes 0-2399/9999"]]),
    page("co", "Accept-Encoding: br", status=206, headers=[["Content-Range", "bytes 0-2399/9999"]]),
    page("co", _GZIP, headers=[["Cache-Control", "no-transform"]]),
    page("co", _GZIP, kind=""),
    page("co", "Accept-Encoding: br", kind=""),
    page("co", _GZIP, kind="image/png"),
    page("co", _GZIP, kind="application/grpc"),
    page("co", "Accept-Encoding: br", kind="application/grpc"),
    page("co", "Accept-Encoding: br", kind="text/event-stream"),
    page("co", _GZIP, kind="application/x-ndjson"),
    page("co", _GZIP, kind="bad type"),
    page("co", "Accept-Encoding: br", kind="bad type"),
    page("co", _GZIP, kind="TEXT/HTML; charset=utf-8"),
    page("co-exclude", _GZIP, kind="text/html; charset=utf-8"),
    page("co-exclude", "Accept-Encoding: br", kind="text/html"),
    page("co-exclude", "Accept-Encoding: br", kind="text/plain"),
    page("co-exclude", _GZIP, kind="image/png"),
    page("co-exclude", _GZIP, "Content-Type: text/html", kind="text/plain"),
    page("co-include", _GZIP, kind="application/json; charset=utf-8"),
    page("co-include", "Accept-Encoding: br", kind="application/json"),
    page("co-include", _GZIP, kind="text/plain"),
    page("co-include", "Accept-Encoding: br", kind="text/plain"),
    page("co-include", "Accept-Encoding: br", kind=""),
    page("co-include", _GZIP, kind=""),
    page("co-gzip", "Accept-Encoding: br"),
    page("co-gzip", "Accept-Encoding: *"),
    page("co-both", _GZIP),
    page("co-none", _GZIP),
    page("co-unknown", _GZIP),
    page("co-badtype", _GZIP),
    page("co-baddefault", _GZIP),
    case("co: HEAD", f"HEAD / HTTP/1.1\nHost: co.m.test\n{_GZIP}\n{echo(body=_LONG)}"),
    case("co: HTTP/1.0", f"GET / HTTP/1.0\nHost: co.m.test\n{_GZIP}\n{echo(body=_LONG, chunked=True)}"),
]  # fmt: skip

_BUFFERING = [
    send("bu", "POST", "/", "0123456789"),
    send("bu", "POST", "/", "0123456789x"),
    case("bu: chunked", "POST / HTTP/1.1\nHost: bu.m.test\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    case("bu: chunked, too long", "POST / HTTP/1.1\nHost: bu.m.test\nTransfer-Encoding: chunked", "b\r\nhello world\r\n0\r\n\r\n"),
    page("bu", body="x" * 1000),
    page("bu", body="x" * 1001),
    page("bu", body="x" * 1001, chunked=True),
    page("bu", body="x" * 100, chunked=True),
    page("bu", status=204, body=""),
    case("bu: HEAD", f"HEAD / HTTP/1.1\nHost: bu.m.test\n{echo(body=_LONG)}"),
    send("bu-disk", "PUT", "/", "0123456789"),
    page("bu-disk"),
    ask("bu-retry", "/"),
    ask("bu-retry-code", "/", echo(status=503)),
    *(fail("bu-retry-any", method, "body") for method in ("GET", "POST", "PUT", "DELETE")),
    *(fail("bu-retry-any", method) for method in ("GET", "HEAD", "POST")),
    fail("bu-retry-any", "POST", "body", 404),
    fail("bu-retry-on", "POST", "body"),
    ask("bu-negative", "/"),
    ask("bu-bad", "/"),
]  # fmt: skip


def _grpc(middleware: str, method: str, *headers: str, body: str = "") -> Case:
    length = f"\nContent-Length: {len(body)}" if body else ""
    fields = "".join(f"\n{header}" for header in headers)
    name = f"{middleware}: {method} {', '.join(headers)}"
    return case(name, f"{method} /s/m HTTP/1.1\nHost: {middleware}.m.test{fields}{length}", body)


_ASKING = (
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Headers: x-grpc-web,content-type",
)
_KIND = ["Content-Type", "application/grpc+proto"]
_CALLED: dict[str, dict[str, Any]] = {
    "trailers": {"chunked": True, "headers": [_KIND, ["Trailer", "Grpc-Status"]], "trailers": [["Grpc-Status", "0"]], "body": "\0\0\0\0\2hi"},
    "status alone": {"headers": [_KIND, ["Grpc-Status", "5"]], "body": ""},
    "status and content": {"headers": [_KIND, ["Grpc-Status", "0"]], "body": "\0\0\0\0\2hi"},
    "chunks without trailers": {"headers": [_KIND], "body": "\0\0\0\0\2hi", "chunked": True},
    "a page": {"status": 503, "headers": [["Content-Type", "text/plain"]], "body": "bad"},
    "a page in chunks": {"status": 503, "headers": [["Content-Type", "text/plain"]], "body": "bad", "chunked": True},
}  # fmt: skip
"""What a server answers to a call, by name."""
_WEB_KINDS = ("grpc-web", "grpc-web+proto", "grpc-web-text", "grpc-web-text+proto")


def _call(middleware: str, kind: str, answer: str, origin: str = "http://a.test") -> Case:
    fields = f"Content-Type: application/{kind}\n{echo(**_CALLED[answer])}"
    fields += f"\nOrigin: {origin}" if origin else ""
    head = f"POST /s/m HTTP/1.1\nHost: {middleware}.m.test\n{fields}\nContent-Length: 8"
    return case(f"{middleware}: {kind} from {origin} answered by {answer}", head, "AAAAAAA=")


_GRPC_WEB = [
    _grpc("gw", "OPTIONS", "Origin: http://a.test", *_ASKING),
    _grpc("gw", "OPTIONS", "Origin: http://b.test", *_ASKING),
    _grpc("gw-any", "OPTIONS", "Origin: http://b.test", *_ASKING),
    _grpc("gw", "OPTIONS", "Origin: http://a.test", _ASKING[0]),
    _grpc("gw", "OPTIONS", "Origin: http://a.test", "Access-Control-Request-Method: GET", _ASKING[1]),
    _grpc("gw", "POST", "Content-Type: application/json", body="{}"),
    _grpc("gw", "GET"),
    *(_call("gw", kind, answer) for kind in _WEB_KINDS for answer in _CALLED),
    *(_call("gw", "grpc-web", answer, "http://b.test") for answer in _CALLED),
    _call("gw", "grpc-web", "trailers", ""),
    _call("gw-any", "grpc-web", "trailers"),
    _call("gw-refused", "grpc-web", "trailers"),
]  # fmt: skip

_OF_SERVICES = [
    *(ask(name, "/x") for name in ("own", "own-chain", "own-lost", "own-child")),
    ask("err-own", "/x", echo(status=500)),
]

CASES = [
    *_OF_SERVICES,
    *_REWRITING,
    *_ERRORS,
    *_REPEATING,
    *_BREAKING,
    *_COMPRESSING,
    *_BUFFERING,
    *_GRPC_WEB,
]
