"""Which client a request counts for: options shared by several middlewares."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IPStrategy:
    """How the client's address is found in ``X-Forwarded-For``."""

    depth: int = 0
    """Counted from the right; 0: the peer's address."""
    excluded_ips: tuple[str, ...] = field(default=(), metadata={"alias": "excludedIPs"})
    ipv6_subnet: int | None = None


@dataclass(frozen=True, slots=True)
class SourceCriterion:
    """What tells clients apart; one of the three."""

    ip_strategy: IPStrategy | None = None
    request_header_name: str = ""
    request_host: bool = False
