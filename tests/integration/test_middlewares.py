"""Middlewares between real sockets: what they must never break, and what they do to failures."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.data_plane import (
    answer,
    client,
    data_plane,
    exchange_tasks,
    read_answer,
    read_head,
    until,
    upstream,
)
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FRAMING = {
    "Content-Length": "1",
    "content-LENGTH": "1",
    "Transfer-Encoding": "chunked",
    "Connection": "close, X-Kept",
    "Upgrade": "h2c",
    "TE": "trailers",
    "Trailer": "X-Late",
    "Expect": "100-continue",
    "Proxy-Connection": "close",
    "X-Kept": "yes",
}
USERS = ["bob:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="]


class Server:
    """Gives every request the same answer and keeps the heads."""

    def __init__(self, response: bytes = answer(b"hello")) -> None:
        self.heads: list[bytes] = []
        self._response = response

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while not reader.at_eof():
            head = await read_head(reader)
            self.heads.append(head)
            if found := re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head):
                await reader.readexactly(int(found[1]))
            writer.write(self._response)


def names(head: bytes) -> list[bytes]:
    return [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]]


async def test_headers_cannot_frame_a_message() -> None:
    server = Server()
    custom = {"customRequestHeaders": FRAMING, "customResponseHeaders": FRAMING}
    async with (
        upstream(server) as port,
        data_plane(port, middlewares=[("headers", custom)]) as plane,
        client(plane.port) as (reader, writer),
    ):
        for request in (GET, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"):
            writer.write(request)
            status, head, body = await read_answer(reader)
            assert (status, body) == (200, b"hello")
            assert sorted(names(head)) == [b"content-length", b"date", b"x-kept"]
    got, posted = server.heads
    for head, lengths in ((got, 0), (posted, 1)):
        sent = names(head)
        assert (sent.count(b"x-kept"), sent.count(b"content-length")) == (1, lengths)
        assert not {b"transfer-encoding", b"connection", b"upgrade", b"te", b"trailer"} & {*sent}
        assert not {b"expect", b"proxy-connection"} & {*sent}
    assert b"Content-Length: 5\r\n" in posted


@pytest.mark.parametrize("path", ["/api/a%0d%0aX-Forged:%20yes/b", "/api/a%00/b", "/api/%7f/b"])
async def test_a_removed_prefix_cannot_bring_fields(path: str) -> None:
    server = Server()
    async with (
        upstream(server) as port,
        data_plane(port, middlewares=[("stripPrefixRegex", {"regex": ["/api/[^/]+"]})]) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert (await read_answer(reader))[0] == 400
        writer.write(b"GET /api/a%20b/c HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_answer(reader))[0] == 200
    (head,) = server.heads
    assert head.startswith(b"GET /c HTTP/1.1\r\n")
    assert b"\r\nX-Forwarded-Prefix: /api/a b\r\n" in head


# Error pages.

PAGES = ("errors", {"status": "100-599", "service": "all@file", "query": "/page"})
OWN_PAGES = ("errorPages", {"status": "200-599", "page": "own page"})
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize("pages", [PAGES, OWN_PAGES], ids=["errors", "errorPages"])
async def test_error_pages_leave_tunnels_alone(pages: tuple[str, Any]) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data.upper())

    async with (
        upstream(serve) as port,
        data_plane(port, middlewares=[pages]) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(UPGRADE)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 101 ")
        writer.write(b"through")
        assert await reader.readexactly(7) == b"THROUGH"
        writer.close()
        await until(lambda: not exchange_tasks() and not plane.in_use())


@pytest.mark.parametrize("pages", [PAGES, OWN_PAGES], ids=["errors", "errorPages"])
async def test_error_pages_and_answers_without_content(pages: tuple[str, Any]) -> None:
    """Interim answers, 204 and 304 pass; HEAD is answered with the head of the page."""

    async def serve(reader: Reader, writer: Writer) -> None:
        while not reader.at_eof():
            head = await read_head(reader)
            target = head.split(b" ")[1]
            if target in (b"/204", b"/304"):
                writer.write(b"HTTP/1.1 %b Of The Server\r\nETag: x\r\n\r\n" % target[1:])
            elif target == b"/page":
                writer.write(answer(b"its page"))
            else:
                writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                writer.write(answer(b"" if head.startswith(b"HEAD") else b"x", status=b"500 No"))

    async with (
        upstream(serve) as port,
        data_plane(port, middlewares=[pages]) as plane,
        client(plane.port) as (reader, writer),
    ):
        for status in (b"204", b"304"):
            writer.write(GET.replace(b"/ ", b"/%b " % status, 1))
            head = await read_head(reader)
            assert head.startswith(b"HTTP/1.1 %b " % status)
            assert b"\r\nETag: x\r\n" in head
            assert b"content-length" not in names(head)
        writer.write(GET)
        assert (await read_head(reader)).startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n")
        status_of_page, _, body = await read_answer(reader)
        assert (status_of_page, body) == (500, b"its page" if pages is PAGES else b"own page")
        writer.write(GET.replace(b"GET", b"HEAD"))
        assert (await read_head(reader)).startswith(b"HTTP/1.1 103 ")
        head = await read_head(reader)
        assert head.startswith(b"HTTP/1.1 500 ")
        assert b"Content-Length: 8\r\n" in head
        writer.write(GET.replace(b"/ ", b"/204 ", 1))
        assert (await read_head(reader)).startswith(b"HTTP/1.1 204 ")  # Nothing is left over.


# Headers of answers that the router makes itself.

DECORATION = (
    "headers",
    {
        "customResponseHeaders": {"X-Custom": "1", "Content-Type": "text/custom", "Date": ""},
        "frameDeny": True,
        "accessControlAllowOriginList": ["https://a.test"],
        "addVaryHeader": True,
    },
)
FORWARD_AUTH: dict[str, Any] = {"address": "http://127.0.0.1:1/"}
INSIDE: dict[str, tuple[int, list[tuple[str, dict[str, Any]]]]] = {
    "basicAuth": (401, [("basicAuth", {"users": USERS})]),
    "digestAuth": (401, [("digestAuth", {"users": ["bob:traefik:0"]})]),
    "forwardAuth": (500, [("forwardAuth", FORWARD_AUTH)]),
    "ipAllowList": (403, [("ipAllowList", {"sourceRange": "192.0.2.1"})]),
    "inFlightReq": (429, [("inFlightReq", {"amount": 0})]),
    "buffering": (500, [("buffering", {"maxResponseBodyBytes": 1})]),
    "redirectRegex": (302, [("redirectRegex", {"regex": "^.*$", "replacement": "http://b/"})]),
    "redirectRegex-bad": (
        502,
        [("redirectRegex", {"regex": "^.*$", "replacement": "http://b b/"})],
    ),
    "redirectScheme": (302, [("redirectScheme", {"scheme": "https"})]),
    "replacePathRegex": (500, [("replacePathRegex", {"regex": "^/", "replacement": "/%zz"})]),
    "maintenance": (503, [("maintenance", {})]),
    "errors": (200, [("errors", {"status": "200", "service": "all@file", "query": "/"})]),
    "retry": (200, [("retry", {"attempts": 2})]),
    "compress": (200, [("compress", {})]),
    "nothing": (200, []),
}


def assert_decorated(head: bytes) -> None:
    for line in (b"X-Custom: 1", b"X-Frame-Options: DENY", b"Vary: Origin"):
        assert head.count(b"\r\n%b\r\n" % line) == 1, (line, head)
    assert b"\r\nAccess-Control-Allow-Origin: https://a.test\r\n" in head
    assert names(head).count(b"content-type") == 1
    assert b"\r\nContent-Type: text/custom\r\n" in head
    assert b"date" not in names(head)


ASKING = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.test\r\n\r\n"


@pytest.mark.parametrize("inside", INSIDE)
async def test_headers_decorate_what_middlewares_inside_answer(inside: str) -> None:
    status, middlewares = INSIDE[inside]
    async with (
        upstream(Server()) as port,
        data_plane(port, middlewares=[DECORATION, *middlewares]) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(ASKING)
        answered, head, _ = await read_answer(reader)
        assert answered == status
        assert_decorated(head)


async def test_headers_decorate_failures_of_services_and_servers() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await read_head(reader)

    async def gibberish(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"gibberish\r\n\r\n")

    for serve, status in (
        (hang_up, 502),
        (gibberish, 500),
        (Server(answer(b"none", status=b"404 Not Found")), 404),
    ):
        async with (
            upstream(serve) as port,
            data_plane(port, middlewares=[DECORATION]) as plane,
            client(plane.port) as (reader, writer),
        ):
            writer.write(ASKING)
            answered, head, _ = await read_answer(reader)
            assert answered == status
            assert_decorated(head)


@pytest.mark.parametrize(("ports", "status"), [((), 503), ((1,), 502)], ids=["none", "refused"])
async def test_headers_decorate_failures_without_a_server(
    ports: tuple[int, ...], status: int
) -> None:
    async with (
        data_plane(*ports, middlewares=[DECORATION]) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(ASKING)
        answered, head, _ = await read_answer(reader)
        assert answered == status
        assert_decorated(head)


async def test_headers_inside_do_not_decorate_what_stands_outside() -> None:
    async with (
        upstream(Server()) as port,
        data_plane(port, middlewares=[("basicAuth", {"users": USERS}), DECORATION]) as plane,
        client(plane.port) as (reader, writer),
    ):
        writer.write(ASKING)
        answered, head, _ = await read_answer(reader)
        assert answered == 401
        assert not {b"x-custom", b"x-frame-options", b"vary"} & {*names(head)}


# Options that nobody would write.


def test_hostile_options_cost_a_process_nothing_else(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    hostile: dict[str, Any] = {
        "deep": {"circuitBreaker": {"expression": "(" * 10_000}},
        "nested": {"addPrefix": {"prefix": json.loads('{"a":' * 200 + "1" + "}" * 200)}},
        "regex": {"redirectRegex": {"regex": "(" * 10_000, "replacement": "x"}},
        "pipe": {"basicAuth": {"usersFile": str(pipe)}},
        "device": {"forwardAuth": {"address": "https://a", "tls": {"ca": "/dev/zero"}}},
        "list": {"realIp": {"trusted": [str(pipe)]}},
        "nan": {"rateLimit": {"average": 1, "period": float("nan")}},
        "inf": {"maintenance": {"retryAfter": float("inf")}},
        "lines": {"redirectScheme": {"scheme": "https\r\nX-Forged: yes"}},
        **{f"c{n}": {"chain": {"middlewares": [f"c{n + 1}"] * 2}} for n in range(60)},
    }
    routers = {
        name: {"rule": f"Host(`{name}`)", "service": "noop@internal", "middlewares": [name]}
        for name in (*hostile, "good")
    }
    sound = {"good": {"customResponseHeaders": {"X-Good": "1"}}}
    dynamic = {
        "http": {
            "routers": routers,
            "middlewares": {**hostile, **{name: {"headers": each} for name, each in sound.items()}},
        }
    }
    with edgerouter(tmp_path / "router", ["web"], {}, dynamic) as process:
        (good,) = exchange(process.ports["web"], b"GET / HTTP/1.1\r\nHost: good\r\n\r\n")
        assert (good.status, good.get("x-good")) == (418, "1")
        for name in hostile:
            sent = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
            (answered,) = exchange(process.ports["web"], sent)
            assert answered.status == 404
            reason = answered.get("x-edgerouter-reason")  # So many are explained per second.
            assert not reason or reason.startswith(f"router {name}@file matches")
            assert not answered.get("x-forged")
        shown = {item["name"]: item for item in process.get("/api/http/middlewares?per_page=1000")}
        assert {item["status"] for item in shown.values()} == {"disabled", "enabled"}
        found = {each["element"]: each for each in process.get("/api/edgerouter/diagnostics")}
        for name in hostile:
            assert shown[f"{name}@file"]["status"] == "disabled"
            assert found[f"http.middlewares.{name}"]["key"].startswith(f"http.middlewares.{name}")
        assert {each["restarts"] for each in process.get("/api/edgerouter/workers")} == {0}
