"""``replacePathRegex``: the path is rewritten by a regular expression."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: str = ""
    replacement: str = ""
