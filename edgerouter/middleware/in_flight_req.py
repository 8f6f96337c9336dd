"""``inFlightReq``: how many requests of one source may be under way, in all workers together.

A request is under way until its answer has been read or dropped, a tunnel until
it is closed. Each router counts for itself, as in Traefik.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.body import Body, FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.watched import WatchedTunnel
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.source_criterion import BY_HOST, SourceCriterion, source_of
from edgerouter.shared.in_flight import InFlight


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    amount: int = 0
    source_criterion: SourceCriterion | None = None
    """None: the requested host."""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The source criterion contradicts itself.
    """
    source = source_of(options.source_criterion, BY_HOST)
    flights = context.shared.in_flight
    name = context.state.encode()
    amount = options.amount

    def in_flight_req(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            key = b"%b\0%b\0%b" % (name, request.exchange.router.encode(), source(request))
            if not flights.enter(key, amount):
                return _refuse(amount)
            return _counted(handler, request, _Entry(flights, key))

        return handle

    return in_flight_req


def _refuse(amount: int) -> Response:
    text = f"max connections reached: {amount}"
    return Response(429, Headers([(b"Date", http_date())]), FixedBody(text.encode()))


class _Entry:
    """One request that is counted; it leaves once."""

    __slots__ = ("_flights", "_key")

    def __init__(self, flights: InFlight, key: bytes) -> None:
        self._flights: InFlight | None = flights
        self._key = key

    def leave(self) -> None:
        if self._flights is not None:
            self._flights.leave(self._key)
            self._flights = None


async def _counted(handler: Handler, request: Request, entry: _Entry) -> Response:
    try:
        response = await handler(request)
    except BaseException:
        entry.leave()
        raise
    if response.tunnel is not None:
        response.tunnel = WatchedTunnel(response.tunnel, entry.leave)
    else:
        response.body = _CountedBody(response.body, entry)
    return response


class _CountedBody:
    """A body with whose end the request is no longer under way."""

    __slots__ = ("_body", "_entry", "length")

    def __init__(self, body: Body, entry: _Entry) -> None:
        self._body = body
        self._entry = entry
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
            self._entry.leave()
        return data

    def ready(self) -> bytes | None:
        data = self._body.ready()
        if data is not None:
            self._entry.leave()
        return data

    def close(self) -> None:
        self._body.close()
        self._entry.leave()
