"""Ways to choose a server, besides taking turns (``balancer.py``).

All but the last two are Traefik's. A chooser sees the servers of one load
balancer in one worker; servers of weight 0 or less are never chosen.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from edgerouter.http.memory import LONGEST
from edgerouter.http.message import Request
from edgerouter.services.rendezvous import Rendezvous
from edgerouter.services.server import Server, ServerState

SAMPLES = 100
"""How many answers ``leasttime`` remembers per server."""


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


class TwoChoices:
    """``p2c``: of two at random the one with fewer requests under way."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers  # Weights do not count, not even 0 (Traefik).

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        left = [server for server in self._servers if server not in excluded]
        if len(left) < 2:
            return left[0] if left else None
        first, second = random.sample(left, 2)
        return second if second.state.active < first.state.active else first


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


class _Scored:
    """The smallest score wins; equal scores take turns by weight."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._deadlines: dict[Server, float] = {}
        deadline = 0.0
        for server in servers:
            if server.weight > 0:
                deadline += 1 / server.weight
                self._deadlines[server] = deadline

    def score(self, server: Server) -> float:
        raise NotImplementedError

    def choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        """Return a server that is not ``excluded``, or None."""
        best: list[Server] = []
        lowest = float("inf")
        for server in self._deadlines:
            if server in excluded:
                continue
            score = self.score(server)
            if score < lowest:
                lowest, best = score, [server]
            elif score == lowest:
                best.append(server)
        if len(best) < 2:
            return best[0] if best else None
        chosen = min(best, key=self._deadlines.__getitem__)
        self._deadlines[chosen] += 1 / chosen.weight
        return chosen


class LeastTime(_Scored):
    """``leasttime``: mean time to the first byte, times requests under way, by weight."""

    def score(self, server: Server) -> float:
        state = server.state
        if not state.seconds:
            return 0.0
        mean = state.seconds_sum / len(state.seconds)
        return mean * (1 + state.active) / server.weight


def note_time(state: ServerState, seconds: float) -> None:
    """Remember how long an answer took to begin, in whole milliseconds as Traefik does."""
    taken = float(int(seconds * 1000))
    state.seconds.append(taken)
    state.seconds_sum += taken
    if len(state.seconds) > SAMPLES:
        state.seconds_sum -= state.seconds.popleft()


class LeastConnections(_Scored):
    """``leastconn``: fewest requests under way, by weight."""

    def score(self, server: Server) -> float:
        return server.state.active / server.weight
