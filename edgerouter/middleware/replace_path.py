"""``replacePath``: the path is replaced."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    path: str = ""
