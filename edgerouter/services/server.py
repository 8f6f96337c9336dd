"""Servers as a load balancer sees them."""

from typing import Protocol

from edgerouter.http.message import Request, Response


class Forward(Protocol):
    """Sends a request to one server; the worker gives in ``proxy/forward.py``'s ``Target``."""

    async def __call__(self, request: Request) -> Response:
        """Return the answer at its head.

        Raises:
            ExchangeError: There is none; ``retry`` says whether another server may be asked.
        """
        ...


class Server:
    """One server of one service."""

    __slots__ = ("forward", "url", "weight")

    def __init__(self, url: str, weight: int, forward: Forward) -> None:
        self.url = url
        self.weight = weight
        self.forward = forward

    def __repr__(self) -> str:
        return f"Server({self.url!r}, weight={self.weight})"


class Fences:
    """Server URLs that get no new request: their containers are going away.

    One per worker, outside every table; the control plane replaces the whole
    set, past the route tables, so that it takes effect at once.
    """

    __slots__ = ("urls",)

    def __init__(self) -> None:
        self.urls: frozenset[str] = frozenset()
