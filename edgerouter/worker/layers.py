"""Routers below routers (``parentRefs``): what is asked once a parent's middlewares have run."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from edgerouter.http.message import Request, Response
from edgerouter.proxy.errorpage import error_response
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable

Definition = Mapping[str, Any]


class Layer:
    """What stands where the service of a parent would: it asks the routers below.

    Equal to another of the same routes, so that an unchanged parent stays what it is.
    """

    __slots__ = ("_routes", "_table")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._table = RouteTable(routes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and other._routes == self._routes

    async def __call__(self, request: Request) -> Response:
        """Answer by the route that takes ``request`` as it is now, else with 404."""
        exchange = request.exchange
        own, exchange.below = exchange.router, ""
        route = self._table.match(request)
        if route is None:
            exchange.error = f"no router below {own} takes the request"
            return error_response(404, "404 page not found\n")
        exchange.router = route.name
        try:
            return await route.handler(request)
        finally:
            # A retry of the parent comes here again, past middlewares that count by router.
            exchange.router = own
            exchange.below = f" -> {route.name}{exchange.below}"


def ordered(names: Iterable[str], definitions: Mapping[str, Definition]) -> list[str]:
    """Return ``names`` and the routers above them, each after those below it."""
    wanted = dict.fromkeys(names)
    queue = list(wanted)
    for name in queue:
        for parent in definitions.get(name, {}).get("parents") or ():
            if parent not in wanted:
                wanted[parent] = None
                queue.append(parent)
    result: dict[str, None] = {}
    for name in wanted:
        if name not in result:
            _add(name, definitions, wanted, result)
    return list(result)


def _add(
    name: str,
    definitions: Mapping[str, Definition],
    wanted: Container[str],
    result: dict[str, None],
) -> None:
    """Add a router after those below it."""
    # No closure: one that calls itself would keep every old configuration until the collector runs.
    for child in definitions.get(name, {}).get("children") or ():
        if child in wanted and child not in result:
            _add(child, definitions, wanted, result)
    result[name] = None
