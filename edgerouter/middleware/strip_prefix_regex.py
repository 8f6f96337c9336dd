"""``stripPrefixRegex``: a prefix that matches is removed from the path."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: tuple[str, ...] = ()
