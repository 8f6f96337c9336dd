"""The second level of a route table: the routes of one host by path.

Entries are asked per list: exact path, then prefixes from the longest to the
shortest, then those without a path. Each list is in rank order and left as
soon as a better-ranked route has been found, so the answer is the same as
asking all routes in rank order.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice

from edgerouter.http.message import Request
from edgerouter.routing.claims import Claim
from edgerouter.routing.matchers.base import Predicate
from edgerouter.routing.route import Route


class Entry:
    """A route under one of its claims; ``predicate`` is None when the index proves the rule."""

    __slots__ = ("predicate", "rank", "route")

    def __init__(self, route: Route, rank: float, predicate: Predicate | None) -> None:
        self.route = route
        self.rank = rank
        self.predicate = predicate


Entries = list[Entry]
NO_RANK = 1 << 62


def choose(entries: Entries, request: Request, best: Entry | None) -> Entry | None:
    """Return the first of ``entries`` that matches and ranks before ``best``, or ``best``."""
    limit = NO_RANK if best is None else best.rank
    for entry in entries:
        if entry.rank >= limit:
            return best
        if entry.predicate is None or entry.predicate(request):
            return entry
    return best


class Prefix:
    """One prefix with its entries; ``parent`` is the longest shorter prefix of it, if any."""

    __slots__ = ("entries", "parent", "text")

    def __init__(self, text: str, entries: Entries, parent: "Prefix | None") -> None:
        self.text = text
        self.entries = entries
        self.parent = parent


class PathIndex:
    """Entries by path; filled with ``add``, then ``seal``-ed, then only read."""

    __slots__ = ("_by_prefix", "_exact", "_keys", "_prefixes", "_rest", "best")

    def __init__(self) -> None:
        self._exact: dict[str, Entries] = {}
        self._by_prefix: dict[str, Entries] = {}
        self._rest: Entries = []
        self._keys: list[str] = []
        self._prefixes: list[Prefix] = []
        self.best: Entry | None = None
        """The entry that ranks first of all."""

    def add(self, claim: Claim, entry: Entry) -> None:
        """Add an entry; entries must come in rank order."""
        if claim.path:
            self._exact.setdefault(claim.path, []).append(entry)
        elif claim.prefix:
            self._by_prefix.setdefault(claim.prefix, []).append(entry)
        else:
            self._rest.append(entry)
        if self.best is None:
            self.best = entry

    def seal(self) -> None:
        """Link each prefix to the longest one it extends."""
        stack: list[Prefix] = []
        for text in sorted(self._by_prefix):
            while stack and not text.startswith(stack[-1].text):
                stack.pop()
            prefix = Prefix(text, self._by_prefix[text], stack[-1] if stack else None)
            stack.append(prefix)
            self._keys.append(text)
            self._prefixes.append(prefix)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries; a route with several paths has several."""
        yield from self._rest
        for group in (self._exact, self._by_prefix):
            for entries in group.values():
                yield from entries

    def settled(self) -> Entry | None:
        """Return the entry that takes every request that comes here, if there is one."""
        rest = self._rest
        if rest and rest[0] is self.best and rest[0].predicate is None:
            return rest[0]
        return None

    def match(self, path: str, request: Request, best: Entry | None) -> Entry | None:
        """Return the first-ranked entry that matches, ``best`` included."""
        if self._exact and (entries := self._exact.get(path)):
            best = choose(entries, request, best)
        if self._keys:
            position = bisect_right(self._keys, path)
            prefix = self._prefixes[position - 1] if position else None
            while prefix is not None:
                # What sorts just before the path, or a prefix of that, is its longest prefix.
                if path.startswith(prefix.text):
                    best = choose(prefix.entries, request, best)
                prefix = prefix.parent
        if self._rest:
            best = choose(self._rest, request, best)
        return best

    def near(self, path: str, limit: int) -> Iterator[Route]:
        """Yield up to about ``limit`` routes worth explaining to a request that none took."""
        yield from _routes(self._exact.get(path, ()), limit)
        place = bisect_right(self._keys, path)
        first = max(place - limit // 2, 0)
        for prefix in self._prefixes[first : place + limit // 2]:
            yield from _routes(prefix.entries, 2)
        yield from _routes(self._rest, limit)
        for entries in islice(self._exact.values(), limit):
            yield from _routes(entries, 1)


def _routes(entries: Iterable[Entry], limit: int) -> Iterator[Route]:
    return (entry.route for entry in islice(entries, limit))
