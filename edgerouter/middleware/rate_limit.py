"""``rateLimit``: a token bucket for each source, exact over all workers, or over several routers.

As in Traefik a request may use a token that comes into being within half the
time between two tokens (at most half a second): it waits for it. What would
have to wait longer is answered 429. ``delay`` and ``noDelay`` are the modes of
nginx instead. In memory each router has buckets of its own, in Redis all routers
with the middleware share them. Without an answer of Redis the limit holds for
this router alone.
"""

import math
from dataclasses import dataclass

from edgerouter.config.types import Duration, format_duration
from edgerouter.http.handler import Handler, Middleware
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.limits import Display, Limit, Limits, Pace
from edgerouter.middleware.redis_buckets import buckets_of
from edgerouter.middleware.redis_client import Redis
from edgerouter.middleware.source_criterion import SourceCriterion, source_of

LONGEST_DELAY = 0.5
"""Seconds that a request waits at most for its token, unless ``delay`` says otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options, and from ``delay`` on some of edgerouter's own."""

    average: int = 0
    """Requests per period; 0: no limit."""
    period: Duration = 1.0
    burst: int = 1
    source_criterion: SourceCriterion | None = None
    """None: the peer's address."""
    redis: Redis | None = None
    delay: int | None = None
    """How many that come too soon pass at once; the others of the burst wait for their turn."""
    no_delay: bool = False
    """Nobody waits: the burst passes at once, more are refused."""
    dry_run: bool = False
    """Nothing is refused or delayed; what would have been is logged."""
    headers: bool = False
    """Answers carry ``RateLimit`` and ``RateLimit-Policy``."""
    shared: bool = False
    """All routers with the middleware share buckets."""
    status_code: int = 429


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: An option cannot work.
    """
    _check(options)
    source = source_of(options.source_criterion)
    redis = None
    if options.redis is not None:
        redis = buckets_of(options.redis, as_traefik=context.as_traefik)
    if options.average <= 0:
        return lambda handler: handler
    limit = Limit(
        context,
        source,
        _pace(options, as_traefik=context.as_traefik),
        _display(context.name, options),
        shared=options.shared or redis is not None,
        redis=redis,
    )

    def rate_limit(handler: Handler) -> Handler:
        if isinstance(handler, Limits) and not context.as_traefik:
            return Limits((limit, *handler.limits), handler.handler)
        return Limits((limit,), handler)

    return rate_limit


def _check(options: Options) -> None:
    if options.period < 0:
        raise BuildError(
            f"period: {format_duration(options.period)} is negative; write 1s or 1m for example"
        )
    if options.delay is not None:
        if options.no_delay:
            raise BuildError("delay and noDelay exclude each other; keep one of them")
        if not 0 <= options.delay < max(1, options.burst):
            raise BuildError(
                f"delay: {options.delay} is not between 0 and {max(1, options.burst) - 1}, the"
                " requests of the burst that may come too soon"
            )
    if not 400 <= options.status_code <= 599:
        raise BuildError(f"statusCode: {options.status_code} is not between 400 and 599")


def _pace(options: Options, *, as_traefik: bool) -> Pace:
    # Traefik takes a period of zero for a second, and a burst below one for one.
    rate = options.average / (options.period or 1.0)
    burst = float(max(1, options.burst))
    lifetime = _lifetime_in_traefik(rate) if as_traefik else math.inf
    if options.delay is not None:
        # A debt of tokens is a place in the line.
        at_once = options.delay + 1.0
        return Pace(rate, at_once, (burst - at_once) / rate, lifetime)
    if options.no_delay:
        return Pace(rate, burst, 0.0, lifetime)
    patience = LONGEST_DELAY if rate < 1 else LONGEST_DELAY / math.floor(rate)
    return Pace(rate, burst, patience, lifetime)


def _lifetime_in_traefik(rate: float) -> float:
    """Return the whole seconds for which Traefik keeps a bucket that nobody asks for."""
    return 2.0 if rate >= 1 else 1.0 + int(1 / rate)


def _display(name: str, options: Options) -> Display:
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "-" for c in name)
    item = f'"{plain}"'.encode()
    period = options.period or 1.0
    window = max(1, math.ceil(period))
    quota = math.floor(options.average * window / period)
    policy = b"%b;q=%d;w=%d" % (item, quota, window) if options.headers else b""
    return Display(policy, item, options.status_code, options.dry_run)
