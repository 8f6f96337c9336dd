"""Memory of a worker over thousands of table swaps: does it grow?"""

import asyncio
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.builds import python_path
from bench.harness import Series, Settings, running_upstream
from bench.processes import resident_parts
from bench.routers import host
from edgerouter.config.static import EntryPoint, StaticConfiguration
from edgerouter.control.supervisor import ALLOCATOR
from edgerouter.ipc.channel import Channel, encode
from edgerouter.shared.memory import Shared

TITLE = "Memory over table swaps"
TEXT = (
    "One worker of edgerouter gets table after table over its channel, 100 routers each. In every"
    " one a router, a service with another server, and a middleware are new and the last ones gone;"
    " requests come in between. Growth is what the worker's own memory is above that after the"
    " first tenth. What limits count is in memory of fixed size that all workers share: its pages"
    " become resident when they are first used."
)
ROUTERS = 100


def measure(settings: Settings) -> list[Series]:
    with running_upstream() as upstream:
        before, after, shared, swaps = asyncio.run(_swap(upstream, settings.table_swaps))
    growth = (after / before - 1) * 100
    return [
        Series("Swaps", "", {"edgerouter": [swaps]}),
        Series("Memory after the first tenth", "MB", {"edgerouter": [before]}),
        Series("Memory at the end", "MB", {"edgerouter": [after]}),
        Series("Growth", "%", {"edgerouter": [growth]}),
        Series("Shared memory in use at the end", "MB", {"edgerouter": [shared]}),
    ]


async def _swap(upstream: int, count: int) -> tuple[float, float, float, int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with _worker(listener) as (channel, process):
            before = 0.0
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            for version in range(1, count + 1):
                await channel.send(encode(_snapshot(upstream, version)))
                while (message := await channel.receive()) is not None:
                    if message["type"] == "applied":
                        break
                if message is None or message["errors"]:
                    raise RuntimeError(f"swap {version} failed: {message}")
                if version % 5 == 0:
                    await asyncio.to_thread(_ask, connection, version)
                if version == max(1, count // 10):
                    before, _ = resident_parts(process.pid)
            after, shared = resident_parts(process.pid)
            connection.close()
    return before, after, shared, count


def _ask(connection: http.client.HTTPConnection, version: int) -> None:
    connection.request("GET", "/strip/x", headers={"Host": f"new-{version}.example.com"})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"swap {version} is not in effect: {response.status}")


@asynccontextmanager
async def _worker(
    listener: socket.socket,
) -> AsyncIterator[tuple[Channel, "subprocess.Popen[bytes]"]]:
    """Run a worker as the control plane does."""
    configuration = StaticConfiguration(entryPoints={"web": EntryPoint(address=":0")})
    shared = Shared.create(1)
    ours, theirs = socket.socketpair()
    descriptors = [theirs.fileno(), listener.fileno(), shared.descriptor]
    with theirs:
        process = subprocess.Popen(  # noqa: ASYNC220 - before anything else runs.
            [sys.executable, "-P", "-m", "edgerouter.worker", "--channel", str(theirs.fileno())],
            pass_fds=descriptors,
            env={**ALLOCATOR, **os.environ, "PYTHONPATH": python_path()},
        )
    channel = await Channel.open(ours)
    start = {
        "type": "start",
        "worker": 0,
        "static": configuration.model_dump(mode="json"),
        "listeners": {"web": [listener.fileno()]},
        "admin": "/nowhere",
        "shared": {"descriptor": shared.descriptor, "workers": 1},
    }
    await channel.send(encode(start))
    try:
        yield channel, process
    finally:
        channel.close()
        process.kill()
        process.wait()


def _snapshot(upstream: int, version: int) -> dict[str, Any]:
    names = [*(host(number) for number in range(ROUTERS - 1)), f"new-{version}.example.com"]
    middlewares = {
        f"strip-{version}@file": {"type": "stripPrefix", "options": {"prefixes": ["/strip"]}},
        f"limit-{version}@file": {"type": "rateLimit", "options": {"average": 1000}},
    }
    return {
        "type": "snapshot",
        "version": version,
        "routers": {
            f"{name}@file": {
                "entryPoints": ["web"],
                "rule": f"Host(`{name}`)",
                "ruleSyntax": "v3",
                "priority": 20,
                "precedence": 1,
                "middlewares": list(middlewares),
                "service": f"{name}@file",
                "tls": None,
                "observability": {"accessLogs": True},
            }
            for name in names
        },
        "middlewares": middlewares,
        "services": {
            f"{name}@file": {
                "type": "loadBalancer",
                "options": {
                    "servers": [{"url": _url(upstream, number, version)}],
                    "passHostHeader": True,
                    "strategy": "wrr",
                    "responseForwarding": {"flushInterval": 0.1},
                    "serversTransport": "",
                },
            }
            for number, name in enumerate(names)
        },
        "serversTransports": {"default@internal": {"forwardingTimeouts": {"dialTimeout": 5}}},
        "disabled": [],
    }


def _url(upstream: int, number: int, version: int) -> str:
    """Return a server that answers for the new router, and one of changing address for others."""
    if number == ROUTERS - 1:
        return f"http://127.0.0.1:{upstream}/v{version}"
    return f"http://127.0.{version % 250}.{number}:{upstream}"
