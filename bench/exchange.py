"""`python -m bench.exchange [requests [routers]]`: one small request in one process, no sockets.

Says what the router's own code costs; the kernel's part is not in it. After `make compile`,
`PYTHONPATH=build/compiled:. python -P -m bench.exchange` measures the compiled build. On a busy
machine count instructions, which nothing disturbs: run it under `valgrind --tool=callgrind` with
2000 and with 4000 requests; the difference by 2000 is one request.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvloop

from bench.load import HEADERS
from bench.routers import SMALL, host
from edgerouter.collector import relax_collector
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.downstream.h1 import DownstreamH1
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched

ANSWER = (
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\n"
    f"Content-Length: {len(SMALL)}\r\nConnection: keep-alive\r\n\r\n{SMALL}"
).encode()


class Wire(asyncio.Transport):
    """Hands everything written to a function."""

    def __init__(self, written: Callable[[bytes], object]) -> None:
        super().__init__()
        self.write = written  # type: ignore[method-assign,assignment]

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def snapshot(count: int) -> dict[str, Any]:
    routers = {
        f"app-{n}@file": {
            "entryPoints": ["web"],
            "rule": f"Host(`{host(n)}`)",
            "ruleSyntax": "v3",
            "priority": 20,
            "precedence": 1,
            "middlewares": [],
            "service": f"app-{n}@file",
            "observability": {"accessLogs": True},
        }
        for n in range(count)
    }
    options = {"servers": [{"url": "http://127.0.0.1:9", "weight": 1}], "passHostHeader": True}
    service = {"type": "loadBalancer", "options": {**options, "serversTransport": ""}}
    return {
        "version": 1,
        "routers": routers,
        "services": dict.fromkeys(routers, service),
        "serversTransports": {"default@internal": {"forwardingTimeouts": {}}},
    }


def requests(count: int) -> list[bytes]:
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return [f"GET / HTTP/1.1\r\nHost: {host(n)}\r\n{fields}\r\n".encode() for n in range(count)]


def answer(loop: asyncio.AbstractEventLoop, server: UpstreamH1, _: bytes) -> None:
    loop.call_soon(server.data_received, ANSWER)


async def main(count: int = 200_000, routers: int = 10) -> None:
    loop = asyncio.get_running_loop()
    entrypoint = EntryPoint("web", {})
    builder = Builder(
        {"web": entrypoint},
        admin="",
        ping_status=503,
        life_cycle=LifeCycle(),
        unmatched=Unmatched(),
    )
    errors = builder.apply(snapshot(routers))
    assert not errors, errors
    for pool in builder.pools._pools.values():
        server = UpstreamH1(pool._released)
        server.connection_made(Wire(partial(answer, loop, server)))
        server.exchanges, server._keep_alive = 1, True
        pool._open.add(server)
        pool._released(server)
    heads = requests(routers)
    over = loop.create_future()
    answered = 0

    def next_request(_: bytes) -> None:
        nonlocal answered
        answered += 1
        if answered < count:
            loop.call_soon(client.data_received, heads[answered % routers])
        else:
            over.set_result(None)

    client = DownstreamH1(entrypoint, Connections(), loop, ("127.0.0.1", 1), loop.time())
    client.connection_made(Wire(next_request))
    relax_collector()
    start = time.process_time()
    client.data_received(heads[0])
    await over
    print(f"{(time.process_time() - start) / count * 1e6:.2f} µs per request")


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
