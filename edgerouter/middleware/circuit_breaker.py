"""``circuitBreaker``: a failing service gets a pause."""

from dataclasses import dataclass

from edgerouter.config.types import Duration


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    expression: str = ""
    check_period: Duration = 0.1
    fallback_duration: Duration = 10.0
    recovery_duration: Duration = 10.0
    response_code: int = 503
