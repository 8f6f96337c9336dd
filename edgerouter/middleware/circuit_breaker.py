"""``circuitBreaker``: a failing service gets a pause.

Closed: requests pass and are counted. Open, once the condition is met: nothing
passes for ``fallbackDuration``. Recovering: a share passes that grows over
``recoveryDuration``; then it is closed again, or open if the condition is met
anew. Every router has a circuit breaker of its own, which lives as long as the
options stay as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from edgerouter.config.types import Duration
from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.measures import Measures
from edgerouter.middleware.predicates import Function, condition
from edgerouter.middleware.statuses import plain, reason

CLOSED: Final = 0
OPEN: Final = 1
RECOVERING: Final = 2
_ROUTERS = 4096
"""Routers whose state is kept; the oldest is forgotten beyond that."""

Clock = Callable[[], float]

FUNCTIONS = {
    "LatencyAtQuantileMS": Function(1, lambda q: lambda m: m.latency_at_quantile(q), float),
    "NetworkErrorRatio": Function(0, lambda: lambda m: m.network_error_ratio(), float),
    "ResponseCodeRatio": Function(4, lambda *r: lambda m: m.response_code_ratio(*r), float),
}


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    expression: str = ""
    check_period: Duration = 0.1
    fallback_duration: Duration = 10.0
    recovery_duration: Duration = 10.0
    response_code: int = 503


def build(options: Options, _context: BuildContext, clock: Clock = monotonic) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The expression is none, or the status.
    """
    if not options.expression.strip():
        raise BuildError("expression: must not be empty; write NetworkErrorRatio() > 0.3 or such")
    if not reason(options.response_code) or options.response_code < 200:
        raise BuildError(f"responseCode: {options.response_code} is not a status such as 503")
    tripping = condition("expression", options.expression, FUNCTIONS)
    breakers: dict[str, Breaker] = {}

    def breaker_of(router: str) -> Breaker:
        found = breakers.get(router)
        if found is None:
            if len(breakers) >= _ROUTERS:
                del breakers[next(iter(breakers))]
            found = breakers[router] = Breaker(options, tripping, clock)
        return found

    def circuit_breaker(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            breaker = breaker_of(request.exchange.router)
            if not breaker.admits():
                request.exchange.error = "the circuit breaker is open"
                return plain(options.response_code)
            start = clock()
            try:
                response = await handler(request)
            except ExchangeError as error:
                breaker.record(error.status, clock() - start)
                raise
            breaker.record(response.status, clock() - start)
            return response

        return handle

    return circuit_breaker


class Breaker:
    """The state of one router's circuit breaker."""

    def __init__(
        self, options: Options, tripping: Callable[[Measures], bool], clock: Clock
    ) -> None:
        self._options = options
        self._tripping = tripping
        self._clock = clock
        self._measures = Measures(clock)
        self._until = 0.0
        self._next_check = 0.0
        self._admitted = 0
        self._denied = 0
        self.state = CLOSED

    def admits(self) -> bool:
        """Tell whether a request may pass now; asking counts as a request."""
        if self.state == CLOSED:
            return True
        now = self._clock()
        if self.state == OPEN:
            if now < self._until:
                return False
            self.state = RECOVERING
            self._until = now + self._options.recovery_duration
            self._admitted = self._denied = 0
        if now > self._until:
            self.state = CLOSED
            return True
        return self._ramp(now)

    def _ramp(self, now: float) -> bool:
        """Let the share pass that grows to a half: then as many pass as are turned away."""
        duration = self._options.recovery_duration
        share = 0.5 * (1.0 - (self._until - now) / duration)
        admitted = self._admitted + 1
        if admitted / (admitted + self._denied) < share:
            self._admitted = admitted
            return True
        self._denied += 1
        return False

    def record(self, status: int, seconds: float) -> None:
        """Count an answer, and see from time to time whether it was one too many."""
        self._measures.record(status, seconds)
        now = self._clock()
        if now <= self._next_check:
            return
        self._next_check = now + self._options.check_period
        if self.state != OPEN and self._tripping(self._measures):
            self.state = OPEN
            self._until = now + self._options.fallback_duration
            self._measures = Measures(self._clock)
