"""``circuitBreaker``: a failing service gets a pause.

Closed: requests pass and are counted. Open, once the condition is met: nothing
passes for ``fallbackDuration``. Recovering: a share passes that grows over
``recoveryDuration``; then it is closed again, or open if the condition is met
anew. Every router has a circuit breaker of its own, for all workers together; it
stays as it is for as long as the options do.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from edgerouter.config.types import Duration
from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.http.reasons import reason
from edgerouter.http.watched import when_done
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.predicates import Function, condition
from edgerouter.middleware.statuses import plain
from edgerouter.shared.circuits import Times

FUNCTIONS = {
    "LatencyAtQuantileMS": Function(1, lambda q: lambda m: m.latency_at_quantile(q), float),
    "NetworkErrorRatio": Function(0, lambda: lambda m: m.network_error_ratio(), float),
    "ResponseCodeRatio": Function(4, lambda *r: lambda m: m.response_code_ratio(*r), float),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    expression: str = ""
    check_period: Duration = 0.1
    fallback_duration: Duration = 10.0
    recovery_duration: Duration = 10.0
    response_code: int = 503


def build(
    options: Options, context: BuildContext, clock: Callable[[], float] = monotonic
) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The expression is none, or the status.
    """
    if not options.expression.strip():
        raise BuildError("expression: must not be empty; write NetworkErrorRatio() > 0.3 or such")
    if not reason(options.response_code) or options.response_code < 200:
        raise BuildError(f"responseCode: {options.response_code} is not a status such as 503")
    trips = condition("expression", options.expression, FUNCTIONS)
    circuits = context.shared.circuits
    # As in Traefik, a duration that is not positive stands for the default.
    times = Times(
        options.check_period if options.check_period > 0 else 0.1,
        options.fallback_duration if options.fallback_duration > 0 else 10.0,
        options.recovery_duration if options.recovery_duration > 0 else 10.0,
    )
    prefix = f"{context.state}\0{options!r}\0".encode()

    def count(key: bytes, router: str, status: int, start: float) -> None:
        now = clock()
        if circuits.record(key, status, now - start, times, now, trips):
            _log.warning("The circuit breaker %s of the router %s opens", context.name, router)

    def circuit_breaker(handler: Handler) -> Handler:
        async def passed(request: Request, key: bytes, start: float) -> Response:
            router = request.exchange.router
            try:
                response = await handler(request)
            except ExchangeError as error:
                count(key, router, error.status, start)
                raise
            if not context.as_traefik:
                count(key, router, response.status, start)
                return response
            # Traefik's latencies last until the answer has been written.
            return when_done(response, partial(count, key, router, response.status, start))

        def refused(request: Request) -> Response:
            request.exchange.error = "the circuit breaker is open"
            return plain(options.response_code)

        def handle(request: Request) -> Awaitable[Response]:
            key = prefix + request.exchange.router.encode()
            now = clock()
            if circuits.admits(key, times, now):
                return passed(request, key, now)
            return refused(request)

        return handle

    return circuit_breaker
