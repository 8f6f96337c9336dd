"""``rateLimit``: a token bucket per source."""

from dataclasses import dataclass

from edgerouter.config.types import Duration
from edgerouter.middleware.client_tls import ClientTLS
from edgerouter.middleware.source_criterion import SourceCriterion


@dataclass(frozen=True, slots=True)
class Redis:
    """Where buckets are shared."""

    endpoints: tuple[str, ...] = ("localhost:6379",)
    tls: ClientTLS | None = None
    username: str = ""
    password: str = ""
    db: int = 0
    pool_size: int = 0
    min_idle_conns: int = 0
    max_active_conns: int = 0
    read_timeout: Duration | None = 3.0
    write_timeout: Duration | None = 3.0
    dial_timeout: Duration | None = 5.0


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
