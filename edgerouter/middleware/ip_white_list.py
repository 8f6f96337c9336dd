"""``ipWhiteList``: the deprecated name of ``ipAllowList``."""

from dataclasses import dataclass
from typing import Annotated

from edgerouter.config.types import ALLOW_EMPTY
from edgerouter.middleware.source_criterion import IPStrategy


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    source_range: tuple[str, ...] = ()
    ip_strategy: Annotated[IPStrategy | None, ALLOW_EMPTY] = None
