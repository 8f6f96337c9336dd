"""Services that services are made of."""

from typing import Any

from edgerouter.http.handler import Handler


class Child:
    """One service below another, with its own middlewares in front."""

    __slots__ = ("_is_up", "handler", "name", "weight")

    def __init__(self, name: str, handler: Handler, service: Any, weight: int = 1) -> None:
        self.name = name
        """As its parent's configuration writes it; cookies and hashes depend on it."""
        self.handler = handler
        self.weight = weight
        self._is_up = getattr(service, "is_up", None)

    def is_up(self) -> bool:
        """Tell whether it can answer; what does not know counts as up."""
        return self._is_up is None or bool(self._is_up())
