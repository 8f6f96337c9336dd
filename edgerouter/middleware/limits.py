"""Limits of requests per time in one route, one or several directly behind each other.

A request that one of several refuses counts for none of them, and one that has to
wait for several waits for the longest, as with several ``limit_req`` of nginx.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from edgerouter.config.types import format_duration
from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import amended
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.redis_buckets import BucketUnavailable, RedisBuckets

_log = logging.getLogger(__name__)
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Pace:
    """What a bucket is taken from with."""

    rate: float
    """Tokens per second."""
    capacity: float
    patience: float
    """Seconds a token may be waited for."""
    lifetime: float
    """Seconds after which an unused bucket is full again."""


@dataclass(frozen=True, slots=True)
class Display:
    """What clients and people are told of a limit."""

    policy: bytes
    """The value of ``RateLimit-Policy``; empty: no such fields."""
    item: bytes
    status: int
    dry_run: bool


class Limit:
    """One limit."""

    def __init__(
        self,
        context: BuildContext,
        source: Callable[[Request], bytes],
        pace: Pace,
        display: Display,
        *,
        shared: bool,
        redis: RedisBuckets | None = None,
    ) -> None:
        """Prepare.

        Args:
            context: of the middleware; as in Traefik requests may fail while Redis does not answer.
            source: tells whom a request counts for.
            pace: how many pass.
            display: what is told.
            shared: whether all routers with the middleware share buckets.
            redis: those of several routers.
        """
        self.redis = redis
        self.shows = bool(display.policy)
        self._name = context.name
        self._source = source
        self._key = _keys(context.state.encode(), source, shared=shared)
        self._pace = pace
        self._arguments = (pace.rate, pace.capacity, pace.patience, pace.lifetime)
        self._display = display
        self._buckets = context.shared.buckets
        self._fails = context.as_traefik

    def take(self, request: Request) -> tuple[float, float]:
        """Take a token, as ``Buckets.take`` does."""
        return self._buckets.take(self._key(request), *self._arguments)

    def give_back(self, request: Request) -> None:
        """Put the token of a request back."""
        self._buckets.give_back(self._key(request), self._pace.rate, self._pace.capacity)

    async def take_anywhere(self, request: Request) -> tuple[float, float]:
        """Take a token from Redis if it answers, else from this router's own."""
        if self.redis is not None:
            try:
                return await self.redis.take(self._redis_key(request), *self._arguments)
            except BucketUnavailable:
                if self._fails:
                    raise
        return self.take(request)

    async def give_back_anywhere(self, request: Request) -> None:
        """Put the token of a request back where it most likely came from."""
        if self.redis is None or self.redis.is_out:
            self.give_back(request)
        else:
            await self.redis.give_back(self._redis_key(request), self._pace.capacity)

    def delay(self, wait: float, request: Request) -> float:
        """Return the seconds that a request has to wait, infinite ones if it is refused."""
        delay = wait if wait <= self._pace.patience else math.inf
        if not (self._display.dry_run and delay):
            return delay
        _log.info(
            "rateLimit %s (dry run): a request of router %s would have been %s",
            self._name,
            request.exchange.router,
            "refused" if delay == math.inf else f"delayed by {format_duration(round(delay, 3))}",
        )
        return 0.0

    def refuse(self, wait: float, tokens: float) -> Response:
        """Return the answer for a request that would have to wait too long."""
        headers = Headers(
            [
                (b"Retry-After", b"%d" % math.ceil(wait)),
                (b"X-Retry-In", format_duration(wait).encode()),
                (b"Date", http_date()),
                *self.fields(tokens),
            ]
        )
        return Response(self._display.status, headers, FixedBody(b"Too Many Requests"))

    def fields(self, tokens: float) -> list[tuple[bytes, bytes]]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-10, if they are wanted."""
        if not self.shows:
            return []
        pace, display = self._pace, self._display
        # Those that may wait for their turn are let in, too.
        left = max(0, math.floor(tokens + pace.patience * pace.rate + _ROUNDING))
        until_full = math.ceil((pace.capacity - tokens) / pace.rate)
        state = b"%b;r=%d;t=%d" % (display.item, left, until_full)
        return [(b"RateLimit-Policy", display.policy), (b"RateLimit", state)]

    def _redis_key(self, request: Request) -> str:
        # The key of Traefik, which does not tell routers apart here.
        return f"rate:{self._name}:{self._source(request).decode('latin-1')}"


def _keys(
    name: bytes, source: Callable[[Request], bytes], *, shared: bool
) -> Callable[[Request], bytes]:
    """Return what makes the key of a request's bucket."""
    if shared:
        return lambda request: b"%b\0\0%b" % (name, source(request))
    return lambda request: (
        b"%b\0%b\0%b"
        % (
            name,
            request.exchange.router.encode(),
            source(request),
        )
    )


class Limits:
    """The handler of one or several limits."""

    def __init__(self, limits: Sequence[Limit], handler: Handler) -> None:
        self.limits = limits
        self.handler = handler
        self._shows = any(limit.shows for limit in limits)
        self._asks_redis = any(limit.redis is not None for limit in limits)

    def __call__(self, request: Request) -> Awaitable[Response]:
        """Let the request pass, now or later, or refuse it."""
        if self._asks_redis:
            return self._ask(request)
        delay = 0.0
        taken: list[float] = []
        for limit in self.limits:
            wait, tokens = limit.take(request)
            if wait:
                delay = max(delay, limit.delay(wait, request))
                if delay == math.inf:
                    for earlier in self.limits[: len(taken)]:
                        earlier.give_back(request)
                    return limit.refuse(wait, tokens)
            taken.append(tokens)
        if delay or self._shows:
            return self._answer(request, delay, taken)
        return self.handler(request)

    async def _ask(self, request: Request) -> Response:
        """Do the same with Redis."""
        delay = 0.0
        taken: list[float] = []
        for limit in self.limits:
            wait, tokens = await limit.take_anywhere(request)
            if wait:
                delay = max(delay, limit.delay(wait, request))
                if delay == math.inf:
                    for earlier in self.limits[: len(taken)]:
                        await earlier.give_back_anywhere(request)
                    return limit.refuse(wait, tokens)
            taken.append(tokens)
        return await self._answer(request, delay, taken)

    async def _answer(self, request: Request, delay: float, taken: Sequence[float]) -> Response:
        if delay:
            await asyncio.sleep(delay)
        if not self._shows:
            return await self.handler(request)
        fields = [
            field
            for limit, tokens in zip(self.limits, taken, strict=True)
            for field in limit.fields(tokens)
        ]
        return await amended(self.handler, request, lambda headers: headers.extended(fields))
