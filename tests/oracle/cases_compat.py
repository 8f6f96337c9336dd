# ruff: noqa: E501 (one case per line reads as a table)
"""Cases in which middlewares differ from Traefik unless ``edgerouter.compat`` says otherwise."""

import json

from tests.oracle.case import Case, get
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

CASES: list[Case] = [*_COMPRESSING, *_ASKED, *_BUFFERED]
