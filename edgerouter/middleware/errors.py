"""``errors``: error pages come from a service of their own."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    status: tuple[str, ...] = ()
    status_rewrites: dict[str, int] = field(default_factory=dict)
    service: str = ""
    query: str = ""
    error_request_headers: tuple[str, ...] | None = None
    """None: all of them."""
