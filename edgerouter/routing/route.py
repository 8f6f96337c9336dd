"""Routes: a router as a worker holds it."""

from edgerouter.http.handler import Handler
from edgerouter.routing.compiled import CompiledRule


class Route:
    """One router on one entry point: what it takes, how it ranks and what serves it."""

    __slots__ = ("handler", "name", "precedence", "priority", "rule")

    def __init__(
        self,
        name: str,
        rule: CompiledRule,
        *,
        handler: Handler,
        priority: int,
        precedence: int = 0,
    ) -> None:
        self.name = name
        """The qualified name, e.g. ``api@docker``."""
        self.rule = rule
        self.handler = handler
        self.priority = priority
        """Higher is asked first; the control plane has replaced 0 by the rule's length."""
        self.precedence = precedence
        """The provider's rank between equal priorities; higher is asked first."""

    def __repr__(self) -> str:
        return f"Route({self.name!r}, {self.rule.text!r}, priority={self.priority})"

    @property
    def order(self) -> tuple[int, int, str]:
        """The sort key: priority, then precedence, then name, so that ties never move."""
        return (-self.priority, -self.precedence, self.name)
