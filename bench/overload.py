"""Three times as many requests as a server can answer: how many are answered in time."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.harness import Series, Settings, in_turns, started
from bench.processes import free_port
from bench.routers import Routes, host, replace_file

TITLE = "Overload"
TEXT = (
    "A server that does 10 requests at once in 50 ms each, 200 a second; others wait in it and are "
    "worked on even when nobody waits for them any more. 600 requests a second come at a fixed "
    "rate; clients give up after one second. Good is a 200 in time. edgerouter has "
    "`maxConnections: 10`, `maxQueue: 100` and `queueTimeout: 500ms`; Traefik has no such options. "
    "nginx is left out: its limit (`max_conns`) has no queue."
)
AT_ONCE = 10
SECONDS = 0.05
CAPACITY = AT_ONCE / SECONDS
PATIENCE = 1.0
LIMITS = ", maxConnections: 10, maxQueue: 100, queueTimeout: 500ms"
HOST = "limited.example.com"


def measure(settings: Settings) -> list[Series]:
    goodput = Series("Good, share of the capacity", "%")
    refused = Series("Refused, share of the requests", "%")
    lost = Series("Given up, share of the requests", "%")

    def once(contestant: str) -> None:
        if contestant == "nginx":
            return
        flags = ("--providers.providersthrottleduration=1ms",)
        with (
            _server() as port,
            started(contestant, Routes(1, port), *flags) as (running, directory),
        ):
            limits = LIMITS if contestant == "edgerouter" else ""
            replace_file(directory / "dynamic" / "routes.yaml", _service(port, limits))
            running.wait(HOST)
            counts = asyncio.run(_load(running.port, settings.seconds))
        total = sum(counts.values())
        goodput.add(contestant, 100 * counts["good"] / (CAPACITY * settings.seconds))
        refused.add(contestant, 100 * counts["refused"] / total)
        lost.add(contestant, 100 * counts["lost"] / total)

    in_turns(settings, once)
    return [goodput, refused, lost]


def _service(port: int, limits: str) -> str:
    return f"""http:
  routers:
    limited: {{rule: "Host(`{HOST}`) || Host(`{host(0)}`)", service: limited}}
  services:
    limited: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{port}"}}]{limits}}}}}
"""


@contextmanager
def _server() -> Iterator[int]:
    """Run the server in a thread; give its port."""
    port, ready, over = free_port(), threading.Event(), threading.Event()

    async def run() -> None:
        await _listen(port)
        ready.set()
        await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield port
    finally:
        over.set()
        thread.join()


async def _listen(port: int) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                async with places:
                    await asyncio.sleep(SECONDS)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)


async def _load(port: int, seconds: float) -> Counter[str]:
    """Send requests at three times the capacity; return what became of them."""
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    start, total = loop.time(), int(3 * CAPACITY * seconds)
    async with asyncio.TaskGroup() as requests:
        for number in range(total):
            await asyncio.sleep(start + number / (3 * CAPACITY) - loop.time())
            requests.create_task(_count(port, counts))
    return counts


async def _count(port: int, counts: Counter[str]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            status = await _ask(port)
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        counts["lost"] += 1
    else:
        counts["good" if status == b"200" else "refused"] += 1


async def _ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
    finally:
        writer.close()
