"""Who gets a certificate at the first handshake."""

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from edgerouter.acme.on_demand import OnDemand
from edgerouter.config.static.certificates import OnDemand as Options
from tests.support.acme_responder import running


class Bench:
    def __init__(self, **options: Any) -> None:
        self.now = 1000.0
        self.obtained: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reason = ""
        self.on_demand = OnDemand(Options(**options), self.obtain, lambda: self.now)

    async def obtain(self, name: str) -> str:
        self.obtained.append(name)
        await self.gate.wait()
        return self.reason


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server that allows names with `good`; its URL and what it was asked."""
    names: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (name,) = parse_qs(urlsplit(self.path).query)["domain"]
            names.append(name)
            self.send_response(200 if "good" in name else 403)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/ask?key=1", names


async def test_names_are_allowed_by_patterns() -> None:
    bench = Bench(hosts=["a.org", "*.b.org"])
    assert await bench.on_demand.request("a.org") == ""
    assert await bench.on_demand.request("X.B.org") == ""
    assert "none of edgerouter.onDemand.hosts" in await bench.on_demand.request("c.org")
    assert bench.obtained == ["a.org", "x.b.org"]


async def test_names_are_allowed_by_a_url(asked: tuple[str, list[str]]) -> None:
    url, names = asked
    bench = Bench(ask=url)
    assert await bench.on_demand.request("good.org") == ""
    assert f"{url} answers 403" in await bench.on_demand.request("bad.org")
    assert "answers 403" in await bench.on_demand.request("bad.org")
    assert names == ["good.org", "bad.org"], "a refusal is remembered"
    bench.now += 61
    await bench.on_demand.request("bad.org")
    assert names[-1] == "bad.org"
    assert len(names) == 3


async def test_few_questions_at_the_same_time() -> None:
    """Clients may ask for any number of names; each question takes a thread."""
    busy, most = set[str](), 0
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal most
            with lock:
                busy.add(self.path)
                most = max(most, len(busy))
            time.sleep(0.005)  # The others come meanwhile, if they may.
            with lock:
                busy.discard(self.path)
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 200

    server = Server(("127.0.0.1", 0), Handler)
    with running(server):
        bench = Bench(ask=f"http://127.0.0.1:{server.server_address[1]}/ask")
        asked = [bench.on_demand.request(f"n{number}.org") for number in range(100)]
        assert all("answers 403" in reason for reason in await asyncio.gather(*asked))
    assert 1 < most <= 16


async def test_a_url_that_does_not_answer_allows_nobody() -> None:
    bench = Bench(ask="http://127.0.0.1:1/ask")
    assert "does not answer" in await bench.on_demand.request("good.org")
    assert bench.obtained == []


@pytest.mark.parametrize("name", ["", "a", "10.0.0.1", "a_b.org", "*.a.org", "a..org", "a" * 300])
async def test_what_is_no_host_name(name: str, asked: tuple[str, list[str]]) -> None:
    url, names = asked
    assert await Bench(ask=url).on_demand.request(name) == "it is no host name"
    assert names == []


async def test_new_certificates_are_limited() -> None:
    bench = Bench(hosts=["*.a.org"], burst=2, interval=60)
    names = [f"n{number}.a.org" for number in range(3)]
    reasons = [await bench.on_demand.request(name) for name in names]
    assert reasons[:2] == ["", ""]
    assert "2 certificates on demand in 60 s" in reasons[2]
    bench.now += 61
    assert await bench.on_demand.request("n2.a.org") == ""


async def test_handshakes_wait_for_one_order() -> None:
    bench = Bench(hosts=["a.org"], burst=1)
    bench.gate.clear()
    waiting = [asyncio.create_task(bench.on_demand.request("a.org")) for _ in range(20)]
    while not bench.obtained:
        await asyncio.sleep(0)
    waiting[0].cancel()
    bench.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [""] * 19
    assert bench.obtained == ["a.org"]


async def test_a_failure_is_told_and_remembered() -> None:
    bench = Bench(hosts=["a.org"])
    bench.reason = "the CA refuses"
    assert await bench.on_demand.request("a.org") == "the CA refuses"
    assert await bench.on_demand.request("a.org") == "the CA refuses"
    assert bench.obtained == ["a.org"]
