# ruff: noqa: E501 (one case per line reads as a table)
"""Cases in which answers differ from Traefik's unless ``edgerouter.compat`` says otherwise."""

import json
from typing import Any

from tests.oracle.case import Case, case, get
from tests.oracle.cases_http import echo
from tests.oracle.cases_middlewares_b import page, send

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
    for name, parts in ((f"{host}, {len(body)} at once, {order}", (body,)), (f"{host}, {len(body)} when asked, {order}", (b"", body.encode())))
]  # fmt: skip

_STATUSES = [
    get(f"status: {status}", "/", "a.test", echo(status=status, body=""))
    for status in (*range(200, 230), *range(300, 310), *range(400, 432), 451, 499, *range(500, 512), 600, 999)
]  # fmt: skip

CASES: list[Case] = [
    *_COMPRESSING,
    *_ASKED,
    *_BUFFERED,
    *_KEPT,
    *_INFORMED,
    *_STATUSES,
]
