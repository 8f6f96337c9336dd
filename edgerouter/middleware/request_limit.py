"""``requestLimit``: the limit of requests that nginx has (``limit_req``), not known to Traefik.

One request per ``period / average`` seconds passes. Of those that come sooner,
up to ``burst`` are let in: the first ``delay`` of them at once, the others when
their time has come; with ``noDelay`` all at once. The rest is answered 429.
Counts hold over all workers and over all routers with the middleware; a router
with several of these middlewares has several limits.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.config.types import Duration, format_duration
from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.source_criterion import SourceCriterion, source_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of edgerouter's own."""

    average: int = 0
    """Requests per period."""
    period: Duration = 1.0
    burst: int = 0
    """Requests that may come too soon."""
    delay: int = 0
    """How many of the burst pass at once."""
    no_delay: bool = False
    """All of the burst pass at once."""
    dry_run: bool = False
    """Nothing is refused or delayed; what would have been is logged."""
    headers: bool = True
    """Answers carry ``RateLimit`` and ``RateLimit-Policy``."""
    status_code: int = 429
    source_criterion: SourceCriterion | None = None
    """None: the peer's address."""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An option cannot work.
    """
    _check(options)
    limit = _Limit(options, context)

    def request_limit(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return limit.pass_on(handler, request)

        return handle

    return request_limit


def _check(options: Options) -> None:
    if options.average <= 0:
        raise BuildError("average: must be above 0; it is the number of requests per period")
    if options.period <= 0:
        raise BuildError(f"period: {format_duration(options.period)} is not above 0; write 1s")
    if options.burst < 0:
        raise BuildError(f"burst: {options.burst} is below 0")
    if not 0 <= options.delay <= options.burst:
        raise BuildError(f"delay: {options.delay} is not between 0 and the burst, {options.burst}")
    if options.no_delay and options.delay:
        raise BuildError("delay and noDelay exclude each other; keep one of them")
    if not 400 <= options.status_code <= 599:
        raise BuildError(f"statusCode: {options.status_code} is not between 400 and 599")


class _Limit:
    """One limit with everything that does not depend on the request."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        self._options = options
        self._name = context.name
        self._prefix = context.name.encode() + b"\0limit\0"
        self._source = source_of(options.source_criterion)
        self._buckets = context.shared.buckets
        self._rate = options.average / options.period
        self._capacity = options.burst + 1.0
        """What comes in time and the burst."""
        self._free = options.burst if options.no_delay else options.delay
        self._policy = _policy(context.name, options)

    def pass_on(self, handler: Handler, request: Request) -> Awaitable[Response]:
        """Let the request pass, now or later, or refuse it."""
        key = self._prefix + self._source(request)
        wait, tokens = self._buckets.take(key, self._rate, self._capacity, 0.0)
        if wait > 0.0:
            if not self._options.dry_run:
                return self._refuse(wait)
            self._tell(request, "refused")
            return self._answer(handler, request, 0.0, 0.0)
        excess = self._options.burst - tokens
        delay = max(0.0, excess - self._free) / self._rate
        if delay and self._options.dry_run:
            self._tell(request, f"delayed by {format_duration(round(delay, 3))}")
            delay = 0.0
        if not delay and not self._options.headers:
            return handler(request)
        return self._answer(handler, request, delay, tokens)

    async def _answer(
        self, handler: Handler, request: Request, delay: float, tokens: float
    ) -> Response:
        if delay:
            await asyncio.sleep(delay)
        response = await handler(request)
        if self._options.headers:
            response.headers = response.headers.extended(self._fields(tokens))
        return response

    def _refuse(self, wait: float) -> Response:
        headers = Headers([(b"Retry-After", b"%d" % math.ceil(wait)), (b"Date", http_date())])
        if self._options.headers:
            headers.extend(self._fields(1.0 - wait * self._rate))
        return Response(self._options.status_code, headers, FixedBody(b"Too Many Requests"))

    def _fields(self, tokens: float) -> list[tuple[bytes, bytes]]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-10."""
        policy, item = self._policy
        until_full = math.ceil((self._capacity - tokens) / self._rate)
        remaining = b"%b;r=%d;t=%d" % (item, max(0, math.floor(tokens)), until_full)
        return [(b"RateLimit-Policy", policy), (b"RateLimit", remaining)]

    def _tell(self, request: Request, what: str) -> None:
        _log.info(
            "requestLimit %s (dry run): a request of router %s would have been %s",
            self._name,
            request.exchange.router,
            what,
        )


def _policy(name: str, options: Options) -> tuple[bytes, bytes]:
    """Return the value of ``RateLimit-Policy`` and the name as both fields write it."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "-" for c in name)
    item = f'"{plain}"'.encode()
    window = max(1, math.ceil(options.period))
    quota = math.floor(options.average * window / options.period)
    return b"%b;q=%d;w=%d" % (item, quota, window), item
