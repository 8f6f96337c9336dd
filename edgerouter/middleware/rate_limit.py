"""``rateLimit``: a token bucket for each source, exact over all workers, or over several routers.

As in Traefik a request may use a token that comes into being within half the
time between two tokens (at most half a second): it waits for it. What would
have to wait longer is answered 429. In memory each router has buckets of its
own, in Redis all routers with the middleware share them. Without an answer of
Redis the limit holds for this router alone.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from edgerouter.config.types import Duration, format_duration
from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.redis_buckets import BucketUnavailable, Redis, RedisBuckets
from edgerouter.middleware.source_criterion import SourceCriterion, source_of
from edgerouter.shared.buckets import Buckets

LONGEST_DELAY = 0.5
"""Seconds that a request waits at most for its token."""


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    average: int = 0
    """Requests per period; 0: no limit."""
    period: Duration = 1.0
    burst: int = 1
    source_criterion: SourceCriterion | None = None
    """None: the peer's address."""
    redis: Redis | None = None


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An option cannot work.
    """
    if options.period < 0:
        raise BuildError(
            f"period: {format_duration(options.period)} is negative; write 1s or 1m for example"
        )
    source = source_of(options.source_criterion)
    # Traefik takes a period of zero for a second, and a burst below one for one.
    rate = options.average / (options.period or 1.0)
    capacity = float(max(1, options.burst))
    if options.average <= 0:
        return lambda handler: handler
    patience = LONGEST_DELAY if rate < 1 else LONGEST_DELAY / math.floor(rate)
    lifetime = _lifetime_in_traefik(rate) if context.as_traefik else math.inf
    limit = Limit(rate, capacity, patience, lifetime)
    if options.redis is not None:
        return _in_redis(RedisBuckets(options.redis), context, source, limit)
    return _in_memory(context.shared.buckets, context.name.encode(), source, limit)


def _lifetime_in_traefik(rate: float) -> float:
    """Return the whole seconds for which Traefik keeps a bucket that nobody asks for."""
    return 2.0 if rate >= 1 else 1.0 + int(1 / rate)


class Limit(NamedTuple):
    """What ``take`` wants to know of a bucket."""

    rate: float
    """Tokens per second."""
    capacity: float
    patience: float
    """Seconds a token may be waited for."""
    lifetime: float
    """Seconds after which an unused bucket is full again."""


def _in_memory(
    buckets: Buckets, name: bytes, source: Callable[[Request], bytes], limit: Limit
) -> Middleware:
    patience = limit.patience
    take = buckets.take

    def rate_limit(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            key = b"%b\0%b\0%b" % (name, request.exchange.router.encode(), source(request))
            wait, _ = take(key, *limit)
            if wait <= 0.0:
                return handler(request)
            if wait > patience:
                return _refuse(wait)
            return _delay(wait, handler, request)

        return handle

    return rate_limit


def _in_redis(
    buckets: RedisBuckets,
    context: BuildContext,
    source: Callable[[Request], bytes],
    limit: Limit,
) -> Middleware:
    local = context.shared.buckets

    def rate_limit(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            # The key of Traefik, which does not tell routers apart here.
            key = f"rate:{context.name}:{source(request).decode('latin-1')}"
            try:
                wait, _ = await buckets.take(key, *limit)
            except BucketUnavailable:
                if context.as_traefik:
                    raise
                wait, _ = local.take(key.encode("latin-1"), *limit)
            if wait > limit.patience:
                return _refuse(wait)
            return await _delay(wait, handler, request)

        return handle

    return rate_limit


async def _delay(wait: float, handler: Handler, request: Request) -> Response:
    if wait > 0.0:
        await asyncio.sleep(wait)
    return await handler(request)


def _refuse(wait: float) -> Response:
    fields = [
        (b"Retry-After", b"%d" % math.ceil(wait)),
        (b"X-Retry-In", format_duration(wait).encode()),
        (b"Date", http_date()),
    ]
    return Response(429, Headers(fields), FixedBody(b"Too Many Requests"))
