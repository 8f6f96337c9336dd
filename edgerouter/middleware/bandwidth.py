"""``bandwidth``: answers are sent no faster than a rate, per answer.

As nginx's ``limit_rate`` and ``limit_rate_after``. Traefik has nothing like it, so it is
written ``edgerouter.http.middlewares.<name>.bandwidth.rate``.
"""

import asyncio
import re
from dataclasses import dataclass

from edgerouter.http.body import Body
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError

_SIZE = re.compile(r"([0-9]+)([kKmMgG]?)").fullmatch
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
PIECES = 10
"""Pieces a second, so that a slow answer still flows."""


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes are bytes, or end with ``k``, ``m`` or ``g`` (1024 each)."""

    rate: str = ""
    """Bytes a second."""
    after: str = "0"
    """Bytes at the beginning of an answer that are sent as fast as can be."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no rate, or a size is none.
    """
    rate = _size("rate", options.rate)
    after = _size("after", options.after)
    if not rate:
        raise BuildError("rate: must be more than 0; write how many bytes a second, such as 500k")

    def bandwidth(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            response = await handler(request)
            length = response.body.length
            if response.tunnel is None and (length is None or length > after):
                response.body = PacedBody(response.body, rate, after)
            return response

        return handle

    return bandwidth


def _size(option: str, text: str) -> int:
    match = _SIZE(text.strip())
    if match is None:
        raise BuildError(f'{option}: "{text}" is not a size such as 500k or 1m')
    return int(match[1]) * _UNITS[match[2].lower()]


class PacedBody:
    """A body that gives its bytes no faster than ``rate`` a second after the first ones."""

    __slots__ = ("_after", "_body", "_due", "_piece", "_rate", "_rest", "length", "trailers")

    def __init__(self, body: Body, rate: int, after: int) -> None:
        self._body = body
        self._rate = rate
        self._after = after
        self._piece = max(rate // PIECES, 1)
        self._rest = b""
        self._due = 0.0
        """When the next piece may go, on the loop's clock."""
        self.length = body.length
        self.trailers = body.trailers

    async def read(self) -> bytes:
        data = self._rest or await self._body.read()
        if not data:
            self.trailers = self._body.trailers
            return data
        if self._after:
            piece, self._rest = data[: self._after], data[self._after :]
            self._after -= len(piece)
            return piece
        time = asyncio.get_running_loop().time
        if self._due > time():
            await asyncio.sleep(self._due - time())
        piece, self._rest = data[: self._piece], data[self._piece :]
        self._due = max(self._due, time()) + len(piece) / self._rate
        return piece

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._rest = b""
        self._body.close()
