"""``chain``: several middlewares under one name; the control plane expands it."""

from dataclasses import dataclass
from typing import Annotated

from edgerouter.config.types import NoGaps


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    middlewares: Annotated[tuple[str, ...], NoGaps()] = ()
