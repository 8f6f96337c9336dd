"""``ipAllowList``: only clients of these addresses pass."""

from dataclasses import dataclass
from typing import Annotated

from edgerouter.config.types import ALLOW_EMPTY
from edgerouter.http.handler import Middleware
from edgerouter.middleware.allow_list import allow_list
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.source_criterion import IPStrategy


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    source_range: tuple[str, ...] = ()
    ip_strategy: Annotated[IPStrategy | None, ALLOW_EMPTY] = None
    reject_status_code: int = 403
    """0 stands for 403."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no range, or a range, the strategy or the status cannot work.
    """
    return allow_list(options.source_range, options.ip_strategy, options.reject_status_code or 403)
