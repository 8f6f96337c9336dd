"""Upstreams that are functions, for services under test."""

from collections.abc import Sequence

from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.services.server import Server


class Upstream:
    """Answers with ``status``, or raises; remembers bodies."""

    def __init__(self, name: str = "", status: int = 200, error: ExchangeError | None = None):
        self.name = name
        self.status = status
        self.error = error
        self.bodies: list[bytes] = []
        self.up = True

    @property
    def asked(self) -> int:
        return len(self.bodies)

    def is_up(self) -> bool:
        return self.up

    async def __call__(self, request: Request) -> Response:
        parts = []
        while data := await request.body.read():
            parts.append(data)
        self.bodies.append(b"".join(parts))
        if self.error is not None:
            raise self.error
        return Response(self.status, Headers([(b"X-Name", self.name.encode())]))


class Streamed:
    """A body that comes in chunks of unknown total length."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)
        self.length: int | None = None
        self.trailers = Headers()
        self.closed = False

    async def read(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self.closed = True


def servers(upstreams: Sequence[Upstream], weights: Sequence[int] = ()) -> list[Server]:
    return [
        Server(f"http://s{number}", weights[number] if weights else 1, upstream)
        for number, upstream in enumerate(upstreams)
    ]


def name(response: Response) -> str:
    return (response.headers.first(b"x-name") or b"").decode()
