"""Bodies and handlers for middlewares that read or change contents."""

import asyncio

from edgerouter.http.body import NO_TRAILERS, Body, FixedBody
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response


class Pieces:
    """A body that comes piece by piece, as from a server that is still sending."""

    def __init__(
        self, *pieces: bytes, length: int | None = None, trailers: Headers = NO_TRAILERS
    ) -> None:
        self._pieces = list(pieces)
        self._last = trailers
        self.length = length
        self.trailers = NO_TRAILERS
        self.closed = False

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        self.trailers = self._last
        return b""

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self.closed = True


class Answers:
    """A handler that gives one answer or failure after the other, and keeps what it was sent."""

    def __init__(self, *answers: Response | ExchangeError | int) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, ExchangeError):
            raise answer
        self.bodies.append(await content(request.body))
        return Response(answer, Headers()) if isinstance(answer, int) else answer


async def content(body: Body) -> bytes:
    """Read ``body`` to its end."""
    whole = body.ready() if body.length is not None else None
    if whole is not None:
        return whole
    parts = []
    while data := await body.read():
        parts.append(data)
    return b"".join(parts)


async def pieces(body: Body) -> list[bytes]:
    """Read ``body`` to its end, piece by piece."""
    found = []
    while data := await body.read():
        found.append(data)
    return found


def page(data: bytes, *fields: tuple[bytes, bytes], status: int = 200) -> Response:
    """Return an answer that is all there."""
    return Response(status, Headers(fields), FixedBody(data))


class Overloaded:
    """Answers 503 to all, once the last of ``count`` requests has come."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._all_there = asyncio.Event()
        self.asked = 0

    async def __call__(self, _request: Request) -> Response:
        self.asked += 1
        if self.asked >= self._count:
            self._all_there.set()
        await self._all_there.wait()
        await asyncio.sleep(0.01)
        return Response(503, Headers())
