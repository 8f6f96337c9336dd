"""A router in front of a recording server, and requests written by hand for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import Answer, exchange
from tests.support.recording_upstream import RecordingUpstream, Seen
from tests.support.router_process import RouterProcess

FLAGS = {
    "entrypoints.small.http.maxheaderbytes": "2000",
    "entrypoints.slow.transport.respondingtimeouts.readtimeout": "500ms",
    "entrypoints.proxied.proxyprotocol.trustedips": "127.0.0.1",
    "entrypoints.foreign.proxyprotocol.trustedips": "10.0.0.0/8",
}
HOST = b"Host: a.test\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


@contextmanager
def hostile_router(
    directory: Path, upstream: RecordingUpstream, **flags: str
) -> Iterator[RouterProcess]:
    """Run edgerouter: ``/echo`` goes to an echo server, ``/admin`` to none, else ``upstream``."""
    with EchoServer(["echo"]) as servers:
        server = f"http://127.0.0.1:{upstream.port}"
        echo = f"http://127.0.0.1:{servers.ports['echo']}"
        dynamic: dict[str, Any] = {
            "http": {
                "routers": {
                    "all": {"rule": "PathPrefix(`/`)", "service": "one", "priority": 1},
                    "admin": {"rule": "PathPrefix(`/admin`)", "service": "gone", "priority": 9},
                    "echo": {"rule": "PathPrefix(`/echo`)", "service": "echo", "priority": 9},
                },
                "services": {
                    "one": {"loadBalancer": {"servers": [{"url": server}]}},
                    "gone": {"loadBalancer": {"servers": []}},
                    "echo": {"loadBalancer": {"servers": [{"url": echo}]}},
                },
            }
        }
        names = ["web", "small", "slow", "proxied", "foreign"]
        with edgerouter(directory, names, FLAGS | flags, dynamic) as router:
            upstream.take()
            yield router


def send(router: RouterProcess, data: bytes, entrypoint: str = "web", **options: Any) -> Answer:
    options.setdefault("watch_close", 3.0)
    return exchange(router.ports[entrypoint], data, **options)[-1]


def assert_serves(router: RouterProcess, upstream: RecordingUpstream) -> None:
    """Check that a new client is served, and that its request is all the upstream sees."""
    answer = send(router, b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n", watch_close=0)
    assert (answer.status, answer.body) == (200, b"ok")
    assert lines(upstream.take()) == ["GET /fine HTTP/1.1"]


def lines(seen: list[Seen]) -> list[str]:
    return [each.line for each in seen]


def get(*fields: bytes, target: bytes = b"/", host: bytes = HOST) -> bytes:
    return (
        b"GET " + target + b" HTTP/1.1\r\n" + host + b"".join(f + b"\r\n" for f in fields) + b"\r\n"
    )


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body
