"""Ways to choose a server, besides taking turns (``balancer.py``).

All but the last two are Traefik's. A chooser sees the servers of one load
balancer in one worker; servers of weight 0 or less are never chosen.
"""

import random
from bisect import bisect
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar

from edgerouter.http.memory import LONGEST
from edgerouter.http.message import Request
from edgerouter.services.rendezvous import Rendezvous
from edgerouter.services.server import Server, ServerState

SAMPLES = 100
"""How many answers ``leasttime`` remembers per server."""


P = TypeVar("P")


class Chooser(Protocol):
    """Picks a server for a request."""

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        ...


def chooser_of(
    strategy: str, servers: Sequence[Server], options: Mapping[str, Any]
) -> Chooser | None:
    """Return the chooser for ``strategy``; None for ``wrr``.

    Raises:
        ValueError: The strategy is unknown.
    """
    match strategy:
        case "" | "wrr":
            return None
        case "p2c":
            return TwoChoices(servers)
        case "hrw":
            return ByClient(servers)
        case "leasttime":
            return LeastTime(servers)
        case "leastconn":
            return LeastConnections(servers)
        case "iphash":
            return ByNetwork(servers)
        case "headerhash":
            return ByHeader(servers, str(options.get("hashHeader") or ""))
        case _:
            message = f"there is no strategy {strategy}"
            raise ValueError(message)


COUNTING = frozenset(("p2c", "leasttime", "leastconn"))
"""Strategies that need to know how many requests a server has under way."""


class _Prepared(Generic[P]):
    """What can be known before requests come, kept until other servers are left."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = [server for server in servers if server.weight > 0]
        self._known: tuple[Collection[Server], list[Server], P] | None = None

    def prepare(self, left: Sequence[Server]) -> P:
        raise NotImplementedError

    def left(self, excluded: Collection[Server]) -> tuple[Collection[Server], list[Server], P]:
        """Return ``excluded``, the servers that are left, and what is prepared of them."""
        known = self._known
        if known is not None and known[0] is excluded:
            return known
        left = [server for server in self._servers if server not in excluded]
        made = excluded, left, self.prepare(left)
        if isinstance(excluded, frozenset):  # Others are of one request, or may change.
            self._known = made
        return made


class TwoChoices(_Prepared[list[int]]):
    """``p2c``: of two at random the one with fewer requests under way, by weight."""

    def prepare(self, left: Sequence[Server]) -> list[int]:
        """Return the sums of weights up to each server."""
        return list(accumulate(server.weight for server in left))

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        _, left, sums = self.left(excluded)
        if len(left) < 2:
            return left[0] if left else None
        number = bisect(sums, random.random() * sums[-1])  # noqa: S311 - no secret
        first = left[number]
        place = random.random() * (sums[-1] - first.weight)  # noqa: S311
        if place >= sums[number] - first.weight:
            place += first.weight
        second = left[bisect(sums, place)]
        less = second.state.active * first.weight < first.state.active * second.weight
        return second if less else first


class ByClient:
    """``hrw``: the client's address chooses, and goes on choosing the same server."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._ranking = Rendezvous([(server.url, server.weight, server) for server in servers])

    def key(self, request: Request) -> str:
        return request.peer.ip

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        for server in self._ranking.ranked(self.key(request)):
            if server not in excluded:
                return server
        return None


class ByNetwork(ByClient):
    """``iphash``: as ``hrw``, by the first three numbers of an IPv4 address (nginx)."""

    def key(self, request: Request) -> str:
        ip = request.peer.ip
        return ip if ":" in ip else ip.rpartition(".")[0]


class ByHeader(ByClient):
    """``headerhash``: as ``hrw``, by the value of a header field; by address without it."""

    def __init__(self, servers: Sequence[Server], name: str) -> None:
        super().__init__(servers)
        self._name = name.lower().encode("latin-1", "replace")

    def key(self, request: Request) -> str:
        value = request.headers.first(self._name)
        if value is None:
            return request.peer.ip
        if len(value) > LONGEST:  # FNV of a megabyte takes a tenth of a second per server.
            return sha256(value).hexdigest()
        return value.decode("latin-1")


class _Scored(_Prepared[list[ServerState]]):
    """The smallest score by weight wins; equal ones take turns by weight."""

    def __init__(self, servers: Sequence[Server]) -> None:
        super().__init__(servers)
        self._are_alike = len({server.weight for server in self._servers}) < 2
        self._next = 0
        """Where to look first among servers that are alike."""
        self._now = 0.0
        self._deadlines: dict[Server, float] = {}
        deadline = 0.0
        for server in self._servers:
            deadline += 1 / server.weight
            self._deadlines[server] = deadline

    def prepare(self, left: Sequence[Server]) -> list[ServerState]:
        """Return what scores are made of."""
        return [server.state for server in left]

    def scores(self, states: list[ServerState]) -> list[float]:
        """Return the scores of servers whose weights do not differ."""
        raise NotImplementedError

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        _, left, states = self.left(excluded)
        if len(left) < 2:
            return left[0] if left else None
        scores = self.scores(states)
        if self._are_alike:  # Then no deadlines are needed to take turns.
            lowest = min(scores)
            number = scores.index(lowest, self._next if lowest in scores[self._next :] else 0)
            self._next = number + 1
            return left[number]
        scores = [score / server.weight for score, server in zip(scores, left, strict=True)]
        lowest = min(scores)
        if scores.count(lowest) == 1:
            return left[scores.index(lowest)]
        deadlines = self._deadlines
        best = [server for server, score in zip(left, scores, strict=True) if score == lowest]
        chosen = min(best, key=deadlines.__getitem__)
        # One that was away for a while begins at the present, and does not catch up.
        self._now = max(self._now, deadlines[chosen])
        deadlines[chosen] = self._now + 1 / chosen.weight
        return chosen


class LeastTime(_Scored):
    """``leasttime``: mean time to the first byte, times requests under way, by weight."""

    def scores(self, states: list[ServerState]) -> list[float]:
        """Return the scores; a server that has not answered yet has 0."""
        return [state.mean_seconds * (1 + state.active) for state in states]


class LeastConnections(_Scored):
    """``leastconn``: fewest requests under way, by weight."""

    def scores(self, states: list[ServerState]) -> list[float]:
        """Return the scores."""
        return [state.active for state in states]


def note_time(state: ServerState, seconds: float) -> None:
    """Remember how long an answer took to begin, in whole milliseconds as Traefik does."""
    taken = float(int(seconds * 1000))
    state.seconds.append(taken)
    state.seconds_sum += taken
    if len(state.seconds) > SAMPLES:
        state.seconds_sum -= state.seconds.popleft()
    state.mean_seconds = state.seconds_sum / len(state.seconds)
