# ruff: noqa: E501 (one case per line reads as a table)
"""Cases in which answers differ from Traefik's unless ``edgerouter.compat`` says otherwise."""

import json
from typing import Any

from tests.oracle.case import Case, case, get
from tests.oracle.cases_middlewares_b import echo, page, send
from tests.oracle.config_compat import BAD_ADDRESSES, BAD_PATHS, BAD_PORTS, BAD_SCHEMES

_CODINGS = ("gzip", "br", "zstd")
_LINES = (
    "text/event-stream",
    "application/x-ndjson",
    "application/jsonlines",
    "application/stream+json",
    "application/grpc+proto",
    "application/grpc-web",
)


def _accept(coding: str) -> str:
    return f"Accept-Encoding: {coding}"


_COMPRESSING = [
    *(page("co", _accept(coding), kind=kind, status=201) for coding in _CODINGS for kind in _LINES),
    *(page("co-include", _accept(coding), kind="bad type", status=201) for coding in _CODINGS),
    *(page("co-exclude", _accept(coding), kind="bad type", status=201) for coding in _CODINGS),
    *(page("co-include", _accept(coding), kind="", status=201) for coding in _CODINGS),
    *(page("co", _accept(coding), body="", status=201, chunked=True) for coding in _CODINGS),
    *(page("co", _accept(coding), body="x" * 20, status=201, chunked=True) for coding in _CODINGS),
    *(page("co", _accept(coding), body="", status=304, headers=[["ETag", '"x"']]) for coding in _CODINGS),
    *(
        page("co", _accept(coding), status=201, headers=[field])
        for coding in _CODINGS
        for field in (["ETag", '"abc"'], ["Accept-Ranges", "bytes"], ["Cache-Control", "no-transform"], ["Content-MD5", "abc"], ["Content-Range", "bytes 0-1/2"])
    ),
    *(page("co", _accept(value), status=201) for value in ("GZIP", "Br, gzip", "*;q=0.5, br;q=0.1", "br, *", "zstd;q=0.2, *")),
    *(page("co-default", _accept(value), status=201) for value in ("*", "br;q=0.1, *", "gzip;q=0, *")),
    *(page("co-order", _accept(value), status=201) for value in ("*", "zstd;q=0, *")),
]  # fmt: skip

_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_REFUSED = "X-Echo: " + json.dumps({"status": 403})
_ASKED = [
    get(f"{name}: {what} on {ep}", "/x", f"{name}.n.test", *headers, _REFUSED, ep=ep)
    for name in ("fa", "fa-trust", "fa-distrust", "fa-some", "fa-some-trust")
    for what, headers, ep in (
        ("no agent", (), "web"),
        ("empty agent", ("User-Agent:",), "web"),
        ("websocket", ("User-Agent: x", *_UPGRADE), "web"),
        ("websocket", ("User-Agent: x", *_UPGRADE), "trust"),
        ("wss", ("User-Agent: x", "X-Forwarded-Proto: wss", *_UPGRADE), "trust"),
        ("range", ("User-Agent: x", "Range: bytes=0-1"), "web"),
    )
]

_BUFFERED = [
    page("bu", kind=kind, body="x" * 1001, status=201)
    for kind in ("text/event-stream", "application/x-ndjson", "application/grpc")
] + [send("bu", "POST", "/stream", "0123456789x")]

_REFUSED_HEADS = {
    "odd name": ("areject", "GET / HTTP/1.1\nHost: a.test\nX.A: 1"),
    "odd name, HEAD": ("areject", "HEAD / HTTP/1.1\nHost: a.test\nX.A: 1"),
    "odd name with a body": ("areject", "POST / HTTP/1.1\nHost: a.test\nContent-Length: 0\nX.A: 1"),
    "odd name, 1.0": ("areject", "GET / HTTP/1.0\nHost: a.test\nConnection: keep-alive\nX.A: 1"),
    "underscore": ("ureject", "GET / HTTP/1.1\nHost: a.test\nX_A: 1"),
    "underscore and fragment": ("ureject", "GET /a#b HTTP/1.1\nHost: a.test\nX_A: 1"),
    "fragment": ("web", "GET /a#b HTTP/1.1\nHost: a.test"),
    "fragment, absolute form": ("web", "GET http://a.test/a#b?c HTTP/1.1\nHost: b.test"),
    "fragment behind the query": ("web", "GET /a?b#c HTTP/1.1\nHost: a.test"),
}
_NEXT = "GET /next HTTP/1.1\nHost: exact.test"
_KEPT = [
    case(f"kept: {name}", f"{head}\n\n{_NEXT}", ep=ep, count=2, watch_close=0.3)
    for name, (ep, head) in _REFUSED_HEADS.items()
] + [
    case(f"closed: {name}", f"{head}\nConnection: close\n\n{_NEXT}", ep=ep, watch_close=2)
    for name, (ep, head) in _REFUSED_HEADS.items()
]

_HINTS = [[103, [["Link", "</x>"], ["Early", "1"]]]]
_ANSWERS: dict[str, dict[str, Any]] = {
    "text": {"body": "x"},
    "page": {"body": " <!doctype html>"},
    "nothing": {"body": ""},
    "type": {"body": "x", "headers": [["Content-Type", "a/b"]]},
    "large": {"body": "x" * 300_000},
    "coded": {"body": "x", "headers": [["Content-Encoding", "br"]]},
    "204": {"status": 204},
    "304": {"status": 304, "headers": [["Content-Type", "a/b"]]},
    "599": {"status": 599, "body": "x"},
    "cut head": {"raw": "HTTP/1.1 200"},
    "garbage": {"raw": "garbage\r\n\r\n"},
}
_INFORMED = [
    case(f"{status} and {name}, {method} {version}", f"{method} / HTTP/{version}\nHost: a.test\n{echo(interim=interim, **answer)}")
    for status, interim in (("103", _HINTS), ("100", [[100, [["A", "b"]]]]), ("199 twice", [[199, []]] * 2))
    for name, answer in _ANSWERS.items()
    for method, version in (("GET", "1.1"), ("HEAD", "1.1"), ("GET", "1.0"))
] + [
    case(f"expectation: {name} {version}", f"POST / HTTP/{version}\nHost: {host}\nExpect: 100-continue\nContent-Length: {len(body)}\n{order}", *parts)
    for version in ("1.0", "1.1")
    for host in ("a.test", "nobody.test")
    for body in ("", "hello")
    for order in (echo(body="x"), echo(body="x", interim=_HINTS))
    if (version, host, body) != ("1.1", "a.test", "hello")  # Traefik may say "100" twice there.
    for name, parts in ((f"{host}, {len(body)} at once, {order}", (body,)), (f"{host}, {len(body)} when asked, {order}", (b"", body.encode())))
]  # fmt: skip

_STATUSES = [
    get(f"status: {status}", "/", "a.test", echo(status=status, body=""))
    for status in (*range(200, 230), *range(300, 310), *range(400, 432), 451, 499, *range(500, 512), 600, 999)
]  # fmt: skip


def ask(name: str, *headers: str, method: str = "GET") -> Case:
    said = ", ".join((f"c-{name}:", method, *headers))
    fields = "".join(f"\n{header}" for header in headers)
    return case(said, f"{method} /x HTTP/1.1\nHost: {name}.c.test{fields}", watch_close=0.2)


def call(name: str, kind: str) -> Case:
    fields = f"Content-Type: application/{kind}\nOrigin: http://a.test\nContent-Length: 8"
    head = f"POST /s/m HTTP/1.1\nHost: {name}.c.test\n{fields}"
    return case(f"c-{name}: {kind}", head, "AAAAAAA=")


_SWITCHED = [
    get(
        f"c-{name}: upgrade",
        "/",
        f"{name}.c.test",
        *_UPGRADE,
        "Origin: http://a.test",
        echo(upgrade="websocket"),
        tunnel=b"ping",
    )
    for name in ("switched", "switched-secured")
]
_PAGES = [
    *(
        ask("page-none", echo(status=status), method=method)
        for status in (200, 204, 304, 404)
        for method in ("GET", "HEAD")
    ),
    *(ask("page-made-none", echo(status=500), method=method) for method in ("GET", "HEAD")),
    *(ask("page-echo", echo(status=500, body=body)) for body in ("", "x", "x" * 10_000)),
    *(ask("page-echo", echo(status=500, body=body, chunked=True)) for body in ("", "xyz")),
    ask("page-down", echo(status=500)),
    *(
        ask(name, echo(status=200))
        for name in ("page-circle", "page-round", "page-of-circle", "circle")
    ),
]
_FAILED = [
    *(
        ask(name, _accept(coding), method=method)
        for name in ("co-down", "co-gone", "co-large")
        for coding in (*_CODINGS, "br;q=0")
        for method in ("GET", "HEAD")
    ),
    *(ask("within", _accept(coding), echo(body="x")) for coding in ("gzip", "br")),
    *(ask("twice", _accept(coding)) for coding in ("gzip", "br;q=0")),
    *(
        ask(name, method=method)
        for name in ("co-down", "ct-down", "ct-gone", "twice")
        for method in ("GET", "HEAD", "POST")
    ),
    *(
        call(name, kind)
        for name in ("gw-down", "gw-gone")
        for kind in ("grpc-web", "grpc-web-text")
    ),
]
_BROKEN = [
    *(ask(f"{option}-{number}") for option, all_of_them in (("path", BAD_PATHS), ("scheme", BAD_SCHEMES), ("port", BAD_PORTS), ("address", BAD_ADDRESSES)) for number in range(len(all_of_them))),
    ask("realm"),
]  # fmt: skip

CASES: list[Case] = [
    *_COMPRESSING,
    *_ASKED,
    *_BUFFERED,
    *_KEPT,
    *_INFORMED,
    *_STATUSES,
    *_SWITCHED,
    *_PAGES,
    *_FAILED,
    *_BROKEN,
]
