"""``retry``: a failed request is sent again.

After a network error only as long as nothing was sent to a server, whatever the
method; after an answer with one of the statuses only if the method may be
repeated and the body is small enough to be kept.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.config.types import Duration
from edgerouter.http.body import Body
from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.budget import Account
from edgerouter.middleware.mediatypes import streams
from edgerouter.middleware.spool import Spool
from edgerouter.middleware.statuses import statuses

_NOT_IDEMPOTENT = frozenset(("POST", "PATCH", "LOCK"))
_NOTHING: frozenset[int] = frozenset()
_IN_MEMORY = 1_048_576
"""Bytes of a body kept in memory; the rest is kept on disk."""


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    attempts: int = 0
    """Tries in all."""
    timeout: Duration = 0.0
    """Seconds after which nothing is tried again; 0: no limit."""
    initial_interval: Duration = 0.0
    """Seconds before the first repetition, growing to twice as many; 0: at once."""
    max_request_body_bytes: int = 2_097_152
    """What may be kept for another try; -1: no limit."""
    status: tuple[str, ...] = ()
    disable_retry_on_network_error: bool = False
    retry_non_idempotent_method: bool = False


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is nothing to repeat, or no number of attempts.
    """
    if options.attempts <= 0:
        raise BuildError(
            f"attempts: {options.attempts} is too small; write how often to try in all"
        )
    # Interim answers are none, and after 101 there is nothing to repeat (Traefik).
    repeated = frozenset(status for status in statuses("status", options.status) if status >= 200)
    if options.disable_retry_on_network_error and not repeated:
        raise BuildError("disableRetryOnNetworkError: then status must say what to repeat")
    if options.max_request_body_bytes < -1:
        raise BuildError("maxRequestBodyBytes: must be -1 (no limit), 0 or more")

    if options.attempts == 1:
        return lambda handler: handler

    def retry(handler: Handler) -> Handler:
        account = Account(context.budgets, is_limited=not context.as_traefik)

        def handle(request: Request) -> Awaitable[Response]:
            by_status = repeated
            if request.method in _NOT_IDEMPOTENT and not options.retry_non_idempotent_method:
                by_status = _NOTHING
            if request.body.length == 0:
                return _Tries(options, account, by_status).run(handler, request)
            if by_status and (context.as_traefik or not streams(request.headers)):
                return _keeping_body(options, account, by_status, handler, request)
            body = _Watched(request.body)
            return _Tries(options, account, _NOTHING, body).run(handler, request.evolve(body=body))

        return handle

    return retry


async def _keeping_body(
    options: Options,
    account: Account,
    repeated: frozenset[int],
    handler: Handler,
    request: Request,
) -> Response:
    """Try with a body that is kept, unless it turns out to be too large."""
    limit = options.max_request_body_bytes
    limit = limit if limit >= 0 else sys.maxsize
    spool = Spool(_IN_MEMORY)
    try:
        body = request.body
        if (body.length or 0) <= limit and await spool.fill(body, limit):
            request = request.evolve(expects_continue=False)
            response = await _Tries(options, account, repeated, spool=spool).run(handler, request)
        else:
            watched = _Watched(_Rejoined(spool, body))
            tries = _Tries(options, account, _NOTHING, watched)
            response = await tries.run(handler, request.evolve(body=watched))
    except BaseException:
        spool.close()
        raise
    spool.close_after(response.upload)
    return response


class _Watched:
    """A request body that knows whether somebody has begun to read it."""

    __slots__ = ("_body", "length", "touched", "trailers")

    def __init__(self, body: Body) -> None:
        self._body = body
        self.length = body.length
        self.trailers = body.trailers
        self.touched = False

    async def read(self) -> bytes:
        self.touched = True
        data = await self._body.read()
        if not data:
            self.trailers = self._body.trailers
        return data

    def ready(self) -> bytes | None:
        data = self._body.ready()
        if data is not None:
            self.touched = True
            self.trailers = self._body.trailers
        return data

    def close(self) -> None:
        self.touched = True
        self._body.close()


class _Rejoined:
    """A body of which the beginning has been read already."""

    __slots__ = ("_rest", "_start", "length", "trailers")

    def __init__(self, spool: Spool, rest: Body) -> None:
        self._start = spool.body()
        self._rest = rest
        self.length = rest.length
        self.trailers = rest.trailers

    async def read(self) -> bytes:
        data = await self._start.read() or await self._rest.read()
        if not data:
            self.trailers = self._rest.trailers
        return data

    def ready(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._start.close()
        self._rest.close()


class _Tries:
    """The tries of one request."""

    __slots__ = (
        *("_account", "_body", "_interval", "_options", "_repeated"),
        *("_share", "_spool", "_start", "_time"),
    )

    def __init__(
        self,
        options: Options,
        account: Account,
        repeated: frozenset[int],
        body: _Watched | None = None,
        spool: Spool | None = None,
    ) -> None:
        self._options = options
        self._account = account
        self._repeated = repeated
        self._body = body
        self._spool = spool
        self._time = asyncio.get_running_loop().time
        self._start = self._time()
        self._interval = options.initial_interval

    async def run(self, handler: Handler, request: Request) -> Response:
        self._share = self._account.enter(request.exchange)
        try:
            return await self._run(handler, request)
        finally:
            self._share.end()

    async def _run(self, handler: Handler, request: Request) -> Response:
        for _ in range(self._options.attempts - 1):
            if self._spool is not None:
                request = request.evolve(body=self._spool.body())
            try:
                response = await handler(request)
            except ExchangeError as error:
                if not self._may_repeat(error):
                    raise
            else:
                if response.status not in self._repeated or self._is_late():
                    return response
                if not self._share.is_affordable(self._options.attempts):
                    return response
                response.close()
            await self._pause()
            request.exchange.retries += 1
        if self._spool is not None:
            request = request.evolve(body=self._spool.body())
        return await handler(request)

    def _may_repeat(self, error: ExchangeError) -> bool:
        if error.source == "downstream" or self._is_late():
            return False
        unsent = error.retry == "always" and not self._options.disable_retry_on_network_error
        if unsent and (self._body is None or not self._body.touched):
            return True  # No server has got it, so it costs none anything.
        return error.status in self._repeated and self._share.is_affordable(self._options.attempts)

    def _is_late(self) -> bool:
        timeout = self._options.timeout
        return timeout > 0 and self._time() - self._start >= timeout

    async def _pause(self) -> None:
        """Wait as Traefik does: half to one and a half of an interval that grows each time."""
        if self._interval > 0:
            await asyncio.sleep(self._interval * random.uniform(0.5, 1.5))  # noqa: S311
            self._interval *= 2.0 ** (1.0 / (self._options.attempts - 1))
