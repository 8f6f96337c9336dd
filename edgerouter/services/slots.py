"""``maxConnections``: how many requests a server has under way, over all workers.

Every server has a count in the memory that workers share; what a worker that dies had
under way is given back by the control plane. Workers that have a line of waiting
requests say so there as well, and share what becomes free.
"""

from collections.abc import Sequence
from time import monotonic

from edgerouter.services.server import Server
from edgerouter.shared.in_flight import InFlight

SLICE = 0.05
"""Seconds for which one of several waiting workers may take more than its share."""
_ANY = 1 << 31


class Slots:
    """The places of all servers of one service."""

    __slots__ = ("_counts", "_line", "_stands", "limit", "service")

    def __init__(self, counts: InFlight, service: str) -> None:
        self._counts = counts
        self._line = f"line {service}".encode()
        self._stands = False
        self.service = service
        self.limit = 0
        """So many a server may have."""

    def take(self, url: str) -> bool:
        """Take a place at the server with this URL; tell whether there was one."""
        return self._counts.enter(self._key(url), self.limit)

    def give(self, url: str) -> None:
        """Give a place at the server with this URL back."""
        self._counts.leave(self._key(url))

    def _key(self, url: str) -> bytes:
        return f"server {self.service} {url}".encode()

    def stand_in_line(self, *, stands: bool) -> None:
        """Tell the other workers whether requests wait in this one."""
        if stands == self._stands:
            return
        self._stands = stands
        if stands:
            self._counts.enter(self._line, _ANY)
        else:
            self._counts.leave(self._line)

    def is_ours(self, usable: Sequence[Server]) -> bool:
        """Tell whether this worker may take a free place: always, unless others wait for one.

        Each gets its share then, and what cannot be divided goes around.
        """
        counts = self._counts
        others = [w for w, n in enumerate(counts.by_worker(self._line)) if n and w != counts.worker]
        if not others:
            return True
        share = self.limit * len(usable) // (len(others) + 1)
        if sum(server.state.active for server in usable) < share:
            return True
        waiting = sorted((*others, counts.worker))
        return waiting[int(monotonic() / SLICE) % len(waiting)] == counts.worker
