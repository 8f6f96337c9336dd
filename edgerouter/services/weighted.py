"""``weighted`` and ``highestRandomWeight``: one of several services answers."""

from collections.abc import Awaitable, Collection, Sequence

from edgerouter.http.errors import NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services.balancer import WeightedRoundRobin
from edgerouter.services.child import Child
from edgerouter.services.rendezvous import Rendezvous
from edgerouter.services.sticky import StickyCookie, by_value, server_value


class Weighted:
    """Services take turns by weight; a cookie makes clients stay."""

    def __init__(
        self,
        name: str,
        children: Sequence[Child],
        *,
        sticky: StickyCookie | None = None,
        minds_health: bool = False,
    ) -> None:
        self.name = name
        self._children = children
        self._rotation = WeightedRoundRobin(children)
        self._sticky = sticky
        self._by_value = by_value({child.name: child for child in children if child.weight > 0})
        self._minds_health = minds_health

    def scatter(self) -> None:
        """Begin anywhere in the round."""
        self._rotation.scatter()

    def is_up(self) -> bool:
        """Tell whether a child can answer."""
        return not self._minds_health or any(
            child.weight > 0 and child.is_up() for child in self._children
        )

    def __call__(self, request: Request) -> Awaitable[Response]:
        if self._sticky is not None:
            return self._stay(request, self._sticky)
        return self._pick(request).handler(request)

    def _pick(self, request: Request) -> Child:
        child = self._next(request, self._down())
        if child is None:
            request.exchange.service = self.name
            message = f"the service {self.name} has no service that can be asked{self._why()}"
            raise NoServer(message)
        return child

    def _why(self) -> str:
        """Return what is wrong with the services, after a colon."""
        idle = sum(child.weight <= 0 for child in self._children)
        counts = {"down": len(self._children) - idle, "without weight": idle}
        return ": " + (", ".join(f"{n} {what}" for what, n in counts.items() if n) or "it is empty")

    def _next(self, _request: Request, down: Collection[Child]) -> Child | None:
        return self._rotation.next(down)

    def _down(self) -> Collection[Child]:
        if not self._minds_health:
            return ()
        return [child for child in self._children if not child.is_up()]

    async def _stay(self, request: Request, sticky: StickyCookie) -> Response:
        value = sticky.chosen(request.headers)
        child = self._by_value.get(value) if value else None
        if child is None or (self._minds_health and not child.is_up()):
            child = self._pick(request)
        response = await child.handler(request)
        answered = server_value(child.name)
        if answered != value:
            response.headers = response.headers.extended([sticky.header(answered)])
        return response


class HighestRandomWeight(Weighted):
    """The client's address chooses the service."""

    def __init__(self, name: str, children: Sequence[Child], *, minds_health: bool = False) -> None:
        super().__init__(name, children, minds_health=minds_health)
        self._ranking = Rendezvous([(child.name, child.weight, child) for child in children])

    def _next(self, request: Request, down: Collection[Child]) -> Child | None:
        for child in self._ranking.ranked(request.peer.ip):
            if child not in down:
                return child
        return None
