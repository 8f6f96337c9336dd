"""``inFlightReq``: how many requests of one source may be under way."""

from dataclasses import dataclass

from edgerouter.middleware.source_criterion import SourceCriterion


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    amount: int = 0
    source_criterion: SourceCriterion | None = None
    """None: the requested host."""
