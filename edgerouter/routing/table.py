"""Route tables: from a request to the route that takes it.

One table per entry point and per plain or TLS. Routes are found by host, then
by path, so the cost of a request does not grow with the number of routers;
the answer is always that of asking all of them in order: priority, then
precedence, then name.
"""

from collections.abc import Iterable

from edgerouter.http.message import Request
from edgerouter.routing.index import NO_RANK, Entry, PathIndex
from edgerouter.routing.nearest import HostNames, NearMiss, near_misses, other_host
from edgerouter.routing.paths import routing_path
from edgerouter.routing.route import Route


class RouteTable:
    """An immutable set of routes that can be asked which one takes a request."""

    __slots__ = ("_hosts", "_names", "_rest", "_settled", "_wildcards", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(sorted(routes, key=lambda route: route.order))
        """All routes in the order they are asked."""
        self._hosts: dict[str, PathIndex] = {}
        self._wildcards: dict[str, PathIndex] = {}
        self._rest = PathIndex()
        for rank, route in enumerate(self.routes):
            self._add(route, rank)
        for index in (*self._hosts.values(), *self._wildcards.values(), self._rest):
            index.seal()
        self._settled: dict[str, Route] = {}
        self._names: HostNames | None = None
        for host in self._hosts:
            self._settle(host)

    def _add(self, route: Route, rank: int) -> None:
        proven = Entry(route, rank, None)
        asked = Entry(route, rank, route.rule.matches)
        for claim in route.rule.claims:
            host = claim.host
            if not host:
                index = self._rest
            else:
                indexes = self._wildcards if host[0] == "." else self._hosts
                index = indexes.get(host) or indexes.setdefault(host, PathIndex())
            index.add(claim, proven if claim.exact else asked)

    def _settle(self, host: str) -> None:
        """Note a host all of whose requests go to one route, whatever else they are."""
        entry = self._hosts[host].settled()
        others = (self._wildcards.get(_suffix(host)), self._rest)
        if entry is not None and all(
            entry.rank <= (other.best.rank if other and other.best else NO_RANK) for other in others
        ):
            self._settled[host] = entry.route

    def match(self, request: Request) -> Route | None:
        """Return the route that takes ``request``, or None."""
        host = request.host
        route = self._settled.get(host)
        if route is not None:
            return route
        path = request.path
        if "%" in path or not path.isascii():
            path = routing_path(path)
        best: Entry | None = None
        index = self._hosts.get(host)
        if index is not None:
            best = index.match(path, request, None)
        if self._wildcards:
            index = self._wildcards.get(_suffix(host))
            if index is not None:
                best = index.match(path, request, best)
        best = self._rest.match(path, request, best)
        return None if best is None else best.route

    def nearest(self, request: Request, limit: int = 3) -> list[NearMiss]:
        """Return which routes came nearest to taking a request that none takes, and why not."""
        host, path = request.host, routing_path(request.path)
        indexes = (self._hosts.get(host), self._wildcards.get(_suffix(host)), self._rest)
        routes = (route for index in indexes if index for route in index.near(path, 8))
        misses = near_misses(routes, request, limit)
        if indexes[0] is None and len(misses) < limit:
            misses[:0] = self._similar(host, limit - len(misses))
        return misses

    def _similar(self, host: str, limit: int) -> list[NearMiss]:
        if self._names is None:
            self._names = HostNames(self._hosts)
        best = ((name, self._hosts[name].best) for name in self._names.similar(host))
        return [other_host(host, name, entry.route) for name, entry in best if entry][:limit]


def _suffix(host: str) -> str:
    """Return what follows the first label, dot included, or an empty text."""
    dot = host.find(".")
    return host[dot:] if dot >= 0 else ""
