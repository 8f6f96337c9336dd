"""``contentType``: a missing content type is guessed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    auto_detect: bool = False
    """Deprecated."""
