"""When an answer has been passed on or dropped: bodies and tunnels that say so."""

from collections.abc import Callable

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.headers import Headers
from edgerouter.http.message import Response
from edgerouter.http.tunnel import Tunnel


def when_done(response: Response, callback: Callable[[], None]) -> Response:
    """Return ``response``, and call ``callback`` once when it is over.

    An answer that is in memory is over at once, a body when it has been read or closed,
    a tunnel when it is closed.
    """
    if response.tunnel is not None:
        response.tunnel = WatchedTunnel(response.tunnel, callback)
    elif isinstance(response.body, FixedBody):
        callback()
    else:
        response.body = WatchedBody(response.body, callback)
    return response


class _Once:
    """Calls back the first time only."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def _done(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class WatchedBody(_Once):
    """A body whose end is told."""

    __slots__ = ("_body", "length")

    def __init__(self, body: Body, callback: Callable[[], None]) -> None:
        super().__init__(callback)
        self._body = body
        self.length = body.length

    @property
    def trailers(self) -> Headers:
        return self._body.trailers

    @trailers.setter
    def trailers(self, trailers: Headers) -> None:
        self._body.trailers = trailers

    async def read(self) -> bytes:
        data = await self._body.read()
        if not data:
            self._done()
        return data

    def ready(self) -> bytes | None:
        data = self._body.ready()
        if data is not None:
            self._done()
        return data

    def close(self) -> None:
        self._body.close()
        self._done()


class WatchedTunnel(_Once):
    """A tunnel whose end is told."""

    __slots__ = ("_tunnel",)

    def __init__(self, tunnel: Tunnel, callback: Callable[[], None]) -> None:
        super().__init__(callback)
        self._tunnel = tunnel

    async def read(self) -> bytes:
        return await self._tunnel.read()

    async def write(self, data: bytes) -> None:
        await self._tunnel.write(data)

    def feed_eof(self) -> None:
        self._tunnel.feed_eof()

    def is_lost(self) -> bool:
        return self._tunnel.is_lost()

    def write_eof(self) -> None:
        self._tunnel.write_eof()

    def when_cut(self, callback: Callable[[], None]) -> None:
        self._tunnel.when_cut(callback)

    def abort(self) -> None:
        self._tunnel.abort()

    def end(self) -> None:
        self._tunnel.end()

    def close(self) -> None:
        self._tunnel.close()
        self._done()
