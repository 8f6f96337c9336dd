"""``failover``: a second service stands in when the first is down, or answers with errors."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import BodyTooLarge, ConnectFailed, ExchangeError, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.http.replay import buffered
from edgerouter.services.child import Child
from edgerouter.services.statuses import StatusRanges


class Failover:
    """The first service while it is up, else the fallback."""

    def __init__(self, name: str, main: Child, fallback: Child, options: Mapping[str, Any]) -> None:
        self.name = name
        self._main = main
        self._fallback = fallback
        self._minds_fallback = options.get("healthCheck") is not None
        errors = options.get("errors") or {}
        written: Sequence[str] = errors.get("status") or ()
        self._errors = StatusRanges(written) if written else None
        limit = errors.get("maxRequestBodyBytes")
        self._limit = -1 if limit is None else int(limit)

    def is_up(self) -> bool:
        """Tell whether one of the two can answer."""
        return self._main.is_up() or self._fallback_is_up()

    def _fallback_is_up(self) -> bool:
        return not self._minds_fallback or self._fallback.is_up()

    def __call__(self, request: Request) -> Awaitable[Response]:
        if self._main.is_up():
            if self._errors is None:
                return self._tried(request)
            return self._watched(request, self._errors)
        if self._fallback_is_up():
            return self._fallback.handler(request)
        request.exchange.service = self.name
        message = f"the service {self.name} is down, and so is its fallback"
        raise Unavailable(message)

    async def _tried(self, request: Request) -> Response:
        """Ask the first service; the second if it turns out that nobody is there to be asked."""
        try:
            return await self._main.handler(request)
        except (NoServer, ConnectFailed):
            # Nothing was sent, but middlewares of the service may have read a body.
            if request.body.length != 0 or not self._fallback_is_up():
                raise
        return await self._fallback.handler(request)

    async def _watched(self, request: Request, errors: StatusRanges) -> Response:
        """Ask the first service; an answer among ``errors`` is dropped and the second asked."""
        if request.upgrade:
            return await self._main.handler(request)
        body, replacement = await buffered(request.body, self._limit)
        request = request.evolve(body=replacement, expects_continue=False)
        if body is None:
            message = f"the body is longer than {self._limit} bytes (errors.maxRequestBodyBytes)"
            raise TooLongToRepeat(message)
        try:
            response = await self._main.handler(request)
        except ExchangeError as error:
            if error.status not in errors or error.source == "downstream":
                raise
        else:
            if response.status not in errors:
                return response
            response.close()
        return await self._fallback.handler(request.evolve(body=FixedBody(body)))


class TooLongToRepeat(BodyTooLarge):
    """The body could not be sent twice."""

    page = "Request body too large\n"


class Unavailable(NoServer):
    """Neither service can answer."""

    page = "Service Unavailable\n"
