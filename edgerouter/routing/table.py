"""Route tables: from a request to the route that takes it.

One table per entry point and per plain or TLS. Routes are found by host, then
by path, so the cost of a request does not grow with the number of routers;
the answer is always that of asking all of them in order: priority, then
precedence, then name.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Self

from edgerouter.http.message import Request
from edgerouter.routing.index import NO_RANK, Entry, PathIndex
from edgerouter.routing.nearest import HostNames, NearMiss, near_misses, other_host
from edgerouter.routing.paths import routing_path
from edgerouter.routing.route import Route

_order = attrgetter("order")
MANY = 4
"""A table most of which is new, one route in so many, is made from the beginning."""


class RouteTable:
    """An immutable set of routes that can be asked which one takes a request."""

    __slots__ = ("_hosts", "_names", "_ranks", "_rest", "_settled", "_wildcards", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: Sequence[Route] = sorted(routes, key=_order)
        """All routes in the order they are asked."""
        self._ranks: Sequence[float] = range(len(self.routes))
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

    def _add(self, route: Route, rank: float) -> None:
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

    @property
    def hosts(self) -> int:
        """How many hosts are named in full."""
        return len(self._hosts)

    def updated(self, removed: Collection[Route], added: Collection[Route]) -> Self:
        """Return this table without ``removed``, which are in it, and with ``added``.

        Costs little where few routes and hosts are concerned.
        """
        if (len(removed) + len(added)) * MANY > len(self.routes):
            gone = set(removed)
            return type(self)([*(r for r in self.routes if r not in gone), *added])
        routes, ranks = list(self.routes), list(self._ranks)
        for route in removed:
            place = bisect_left(routes, route.order, key=_order)
            del routes[place], ranks[place]
        new: dict[Route, float] = {}
        for number, route in enumerate(added):
            place = bisect_left(routes, route.order, key=_order)
            rank = _between(ranks, place)
            if rank is None:  # Too often at the same place: all get new numbers.
                return type(self)([*routes, *islice(added, number, None)])
            routes.insert(place, route)
            ranks.insert(place, rank)
            new[route] = rank
        return self._with(routes, ranks, frozenset(removed), new)

    def _with(
        self,
        routes: list[Route],
        ranks: list[float],
        removed: frozenset[Route],
        added: Mapping[Route, float],
    ) -> Self:
        """Return a table of these routes, which differ from the present ones in a few."""
        table = type(self)(())
        table.routes, table._ranks, table._names = routes, ranks, None
        table._hosts, table._wildcards = dict(self._hosts), dict(self._wildcards)
        table._rest, table._settled = self._rest, dict(self._settled)
        hosts = {claim.host for route in (*removed, *added) for claim in route.rule.claims}
        for host in hosts:
            table._index_anew(host, removed, added)
        everywhere = any(not host or host[0] == "." for host in hosts)
        for host in table._hosts if everywhere else hosts:
            table._settled.pop(host, None)
            if host in table._hosts:
                table._settle(host)
        for host in hosts.difference(table._hosts):
            table._settled.pop(host, None)
        return table

    def _index_anew(
        self, host: str, removed: frozenset[Route], added: Mapping[Route, float]
    ) -> None:
        """Make the index of one host again."""
        indexes = self._wildcards if host[:1] == "." else self._hosts
        old = indexes.pop(host, None) if host else self._rest
        ranked = {entry.route: entry.rank for entry in old.entries()} if old else {}
        ranked |= added
        index = PathIndex()
        for route, rank in sorted(ranked.items(), key=itemgetter(1)):
            if route in removed:
                continue
            for claim in route.rule.claims:
                if claim.host == host:
                    index.add(
                        claim, Entry(route, rank, None if claim.exact else route.rule.matches)
                    )
        index.seal()
        if not host:
            self._rest = index
        elif index.best is not None:
            indexes[host] = index

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


def _between(ranks: Sequence[float], place: int) -> float | None:
    """Return a number for what comes to ``place``, or None when there is none left."""
    if not ranks:
        return 0
    if place == len(ranks):
        return ranks[-1] + 1
    if place == 0:
        return ranks[0] - 1
    before, after = ranks[place - 1], ranks[place]
    middle = (before + after) / 2
    return middle if before < middle < after else None


def _suffix(host: str) -> str:
    """Return what follows the first label, dot included, or an empty text."""
    dot = host.find(".")
    return host[dot:] if dot >= 0 else ""
