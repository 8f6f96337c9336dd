"""``chain``: several middlewares under one name; the control plane expands it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    middlewares: tuple[str, ...] = ()
