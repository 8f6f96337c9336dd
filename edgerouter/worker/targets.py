"""The servers that the services of a worker use, counted.

A change costs what it touches: nobody looks at all servers to find who is left.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pool


class Targets:
    """Targets by key, as long as a service uses them."""

    def __init__(self) -> None:
        self._targets: dict[Hashable, Target] = {}
        self._uses: Counter[Target] = Counter()
        self._pools: Counter[Pool] = Counter()
        self.urls: Counter[str] = Counter()
        """How many targets there are at each server URL."""
        self.lost: set[Pool] = set()
        """Pools that no target uses any more; whoever closes them takes them out."""

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def get(self, key: Hashable) -> Target | None:
        """Return the target that is kept under ``key``."""
        return self._targets.get(key)

    def exchange(self, old: Iterable[Target], new: Iterable[Target]) -> None:
        """Have services use the ``new`` targets in place of the ``old`` ones."""
        for target in new:
            self._targets[target.key] = target
            self._uses[target] += 1
            if self._uses[target] == 1:
                self.urls[target.url] += 1
                self._pools[target.pool] += 1
                self.lost.discard(target.pool)
        for target in old:
            if not _is_last(self._uses, target):
                continue
            _is_last(self.urls, target.url)
            if _is_last(self._pools, target.pool):
                self.lost.add(target.pool)
            if self._targets[target.key] is target:
                del self._targets[target.key]


T = TypeVar("T", bound=Hashable)


def _is_last(counts: Counter[T], item: T) -> bool:
    """Count one less, and tell whether it was the last."""
    counts[item] -= 1
    if counts[item]:
        return False
    del counts[item]
    return True
