"""The examples of docs/middlewares keep their promises: requests are sent through each of them.

A promise is what a client sends, and what it and the server then see. Servers and
authentication servers of the examples are one server of the test.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.data_plane import answer, client, read_head, serving, upstream
from tests.unit.middleware.test_examples import PAGES, examples, snapshot

BOB = "Authorization: Basic Ym9iOnRlc3Q="
EVE = "Authorization: Basic ZXZlOnRlc3Q="
PREFLIGHT = "Access-Control-Request-Method: PUT"
SHOWN_ELSEWHERE = {
    ("passTLSClientCert", 0): "oracle/test_client_certificates.py",
    ("rateLimit", 2): "unit/middleware/test_redis_buckets.py",
}
"""Examples that need more than a server: a client's certificate, a Redis."""


@dataclass(frozen=True)
class Promise:
    """What is sent, and what is then seen."""

    sent: str
    """Method and target, then fields."""
    status: int
    shown: tuple[str, ...] = ()
    """Expressions that are found in the answer, its content included."""
    told: tuple[str, ...] | None = ()
    """The same for what the server got; None: it got nothing."""
    hidden: tuple[str, ...] = ()
    """Expressions that are found in neither."""
    times: int = 1
    """How often it is sent at most until the status is seen."""
    example: int = 0


def get(target: str, *fields: str) -> str:
    return "\n".join((f"GET {target}", *fields))


PROMISES: dict[str, list[Promise]] = {
    "addPrefix": [Promise(get("/a?b"), 200, told=(r"^GET /app/a\?b ",))],
    "bandwidth": [Promise(get("/"), 200, ("x{2000}",))],
    "basicAuth": [
        Promise(get("/"), 401, ('WWW-Authenticate: Basic realm="Staff only"',), None),
        Promise(get("/", EVE), 401, told=None),
        Promise(
            get("/", BOB, "X-WebAuth-User: root"),
            200,
            told=("X-WebAuth-User: bob",),
            hidden=("Authorization", "root"),
        ),
    ],
    "buffering": [
        Promise("POST /\nContent-Length: 10000001", 413, told=None),
        Promise("POST /\nContent-Length: 3\n\nabc", 200, told=("Content-Length: 3",)),
        Promise(get("/hang-up-twice"), 200, told=("/hang-up-twice",)),
    ],
    "chain": [
        Promise(
            get("/v1/a", "Accept-Encoding: gzip"),
            200,
            ("Content-Encoding: gzip",),
            ("^GET /a ", "X-Forwarded-Prefix: /v1"),
        )
    ],
    "circuitBreaker": [Promise(get("/hang-up"), 503, told=None, times=50)],
    "compress": [
        Promise(get("/", "Accept-Encoding: br"), 200, ("Content-Encoding: br",)),
        Promise(get("/"), 200, ("x{2000}",), hidden=("Content-Encoding",)),
        Promise(get("/", "Accept-Encoding: gzip, zstd"), 200, ("Encoding: zstd",), example=1),
        Promise(get("/plain", "Accept-Encoding: gzip"), 200, ("x{2000}",), example=1),
    ],
    "contentType": [Promise(get("/untyped"), 200, ("Content-Type: text/html; charset=utf-8",))],
    "digestAuth": [Promise(get("/", BOB), 401, ('Digest realm="traefik", nonce="',), None)],
    "encodedCharacters": [
        Promise(get("/a%2Fb"), 200, told=("^GET /a%2Fb ",)),
        Promise(get("/a%5Cb"), 400, told=None),
    ],
    "errorPages": [
        Promise(get("/500"), 500, ("<h1>Sorry</h1><p>Error 500",)),
        Promise(get("/404"), 404, ("<h1>We do not sell that</h1>",)),
        Promise(get("/"), 200, ("x{2000}",)),
    ],
    "errors": [
        Promise(get("/404?a"), 404, ("x{2000}",), (r"^GET /404\.html\?url=http%3A%2F%2Fapp",)),
        Promise(get("/hang-up"), 502, ("x{2000}",), (r"^GET /502\.html",)),
        Promise(get("/403"), 403, told=("^GET /403 ",)),
    ],
    "forwardAuth": [
        Promise(get("/a", "Remote-User: root"), 302, ("Location: https://login",), ("/authz",)),
        Promise(
            get("/a", "Cookie: authelia_session=bob", "Remote-User: root"),
            200,
            told=("^GET /a ", "Remote-User: bob", "Remote-Groups: staff"),
            hidden=("root",),
        ),
        Promise(get("/a", "Cookie: authelia_session=bob"), 200, told=("^GET /a ",), example=1),
    ],
    "grpcWeb": [
        Promise(
            "OPTIONS /\nOrigin: https://app.example.com\nAccess-Control-Request-Method: POST\n"
            "Access-Control-Request-Headers: x-grpc-web",
            200,
            ("Access-Control-Allow-Origin: https://app.example.com",),
            None,
        )
    ],
    "headers": [
        Promise(
            get("/", "X-Tenant: red"),
            200,
            ("X-Frame-Options: DENY", "X-Content-Type-Options: nosniff"),
            ("X-Tenant: blue",),
            ("Server: nginx", "red", "Strict-Transport-Security"),
        ),
        Promise(
            f"OPTIONS /\nOrigin: https://shop.example.com\n{PREFLIGHT}",
            200,
            (
                "Allow-Origin: https://shop.example.com",
                "Allow-Methods: GET,PUT,DELETE",
                "Allow-Headers: Content-Type,Authorization",
                "Max-Age: 600",
            ),
            None,
            example=1,
        ),
        Promise(
            get("/", "Origin: https://example.com.evil.test"),
            200,
            ("Vary: Origin",),
            hidden=("Access-Control-Allow-Origin",),
            example=1,
        ),
    ],
    "inFlightReq": [Promise(get("/"), 200)],
    "ipAllowList": [Promise(get("/", "X-Forwarded-For: 192.0.2.1"), 403, told=None)],
    "ipWhiteList": [Promise(get("/", "X-Forwarded-For: 192.0.2.1"), 403, told=None)],
    "maintenance": [
        Promise(get("/"), 503, ("Retry-After: 600", "We will be back soon"), None),
        Promise(get("/"), 404, ("<h1>Nobody lives here",), None, hidden=("Retry",), example=1),
    ],
    "rateLimit": [
        Promise(get("/"), 200),
        Promise(get("/"), 429, ("Retry-After: ",), None, times=5000),
        Promise(get("/"), 200, ('RateLimit-Policy: "per-client@docker"',), example=1),
    ],
    "realIp": [
        Promise(get("/", "CF-Connecting-IP: 192.0.2.1"), 200, told=("X-Forwarded-For: 127.0.0.1",))
    ],
    "redirectRegex": [
        Promise(get("/a?b"), 301, (r"Location: https://www.example.com/a\?b",), None)
    ],
    "redirectScheme": [
        Promise(get("/a?b"), 301, (r"Location: https://app.example.com/a\?b",), None),
        Promise("POST /", 308, ("Location: https://app.example.com/",), None),
    ],
    "replacePath": [
        Promise(get("/a?b"), 200, told=(r"^GET /campaign/start\?b ", "X-Replaced-Path: /a"))
    ],
    "replacePathRegex": [
        Promise(get("/api/v2/users/7"), 200, told=("^GET /users/7/v2 ",)),
        Promise(get("/other"), 200, told=("^GET /other ",)),
    ],
    "requestId": [
        Promise(
            get("/", "X-Request-ID: mine"),
            200,
            ("X-Request-ID: [0-9a-f]{32}",),
            ("X-Request-ID: [0-9a-f]{32}",),
            ("mine",),
        )
    ],
    "retry": [Promise(get("/hang-up-twice"), 200), Promise(get("/502-once"), 200)],
    "stripPrefix": [
        Promise(get("/api/a"), 200, told=("^GET /a ", "X-Forwarded-Prefix: /api")),
        Promise(get("/other"), 404, told=None),
    ],
    "stripPrefixRegex": [
        Promise(get("/tenants/a-1/b"), 200, told=("^GET /b ", "X-Forwarded-Prefix: /tenants/a-1"))
    ],
    "via": [Promise(get("/"), 200, (r"Via: 1\.1 gate-1",), (r"Via: 1\.1 gate-1",))],
}


class Server:
    """Answers by what the path says, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self._asked: dict[str, int] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            head = (await read_head(reader)).decode("latin-1")
            if found := re.search(r"\r\nContent-Length: ([0-9]+)", head):
                await reader.readexactly(int(found[1]))
            self.got.append(head)
            made = self._answer(head.split(" ")[1], head)
            if not made:
                return
            writer.write(made)

    def _answer(self, target: str, head: str) -> bytes:
        """Return an answer, empty to hang up."""
        asked = self._asked[target] = self._asked.get(target, 0) + 1
        fields = [b"Server: nginx", b"Content-Type: text/html"]
        match target.lstrip("/").split("?")[0]:
            case "api/authz/forward-auth" if "authelia_session=bob" not in head:
                return answer(b"", b"Location: https://login.test/", status=b"302 Found")
            case "api/authz/forward-auth":
                return answer(b"", b"Remote-User: bob", b"Remote-Groups: staff")
            case "hang-up":
                return b""
            case "hang-up-twice" if asked < 3:
                return b""
            case "502-once" if asked == 1:
                return answer(b"", status=b"502 Bad Gateway")
            case "untyped":
                return answer(b"<html>" + b"x" * 2000)
            case "plain":
                fields[1] = b"Content-Type: text/plain"
            case status if status.isdigit():
                return answer(b"no", *fields, status=status.encode() + b" No")
        return answer(b"x" * 2000, *fields)


def frame_of(labels: dict[str, str], port: int) -> dict[str, Any]:
    """Return the snapshot of an example, with all of its servers at ``port``."""
    text = json.dumps(snapshot(labels))
    text = re.sub(r"http://(?:10\.0\.0\.2|authelia)(?::[0-9]+)?", f"http://127.0.0.1:{port}", text)
    frame: dict[str, Any] = json.loads(text)
    return frame


def host_of(labels: dict[str, str]) -> str:
    rule = next(value for name, value in labels.items() if name.endswith(".rule"))
    found = re.search("Host\\(`([^`]+)", rule)
    return found[1] if found is not None else "any.example.com"


async def send(port: int, host: str, sent: str) -> str:
    """Return the whole answer."""
    head, _, body = sent.partition("\n\n")
    first, *fields = head.split("\n")
    lines = [f"{first} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", body]
    async with client(port) as (reader, writer):
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(30):
            return (await reader.read()).decode("latin-1")


CASES = [
    pytest.param(page, promise, id=f"{page}-{number}")
    for page, promises in PROMISES.items()
    for number, promise in enumerate(promises)
]


@pytest.mark.parametrize(("page", "promise"), CASES)
async def test_examples_do_what_their_page_says(page: str, promise: Promise) -> None:
    labels = examples(next(each for each in PAGES if each.stem == page))[promise.example]
    server = Server()
    async with upstream(server) as port, serving(frame_of(labels, port)) as plane:
        for _ in range(promise.times):
            server.got.clear()
            answered = await send(plane.port, host_of(labels), promise.sent)
            if int(answered.split(" ")[1]) == promise.status:
                break
    assert int(answered.split(" ")[1]) == promise.status, answered[:500]
    for expression in promise.shown:
        assert re.search(expression, answered), (expression, answered[:500])
    if promise.told is None:
        assert server.got == []
    for expression in promise.told or ():
        assert re.search(expression, server.got[-1]), (expression, server.got)
    for expression in promise.hidden:
        for seen in (answered, *server.got[-1:]):
            assert not re.search(expression, seen), (expression, seen[:500])


def test_every_example_has_a_promise() -> None:
    written = {(page.stem, number) for page in PAGES for number in range(len(examples(page)))}
    kept = {(page, each.example) for page, promises in PROMISES.items() for each in promises}
    assert kept | set(SHOWN_ELSEWHERE) == written
