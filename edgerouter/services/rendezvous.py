"""Highest random weight: a key ranks items, and adding or losing one moves few keys.

Hash and score are Traefik's, so that clients keep their server when a router is
exchanged for ours.
"""

from collections.abc import Sequence
from math import log
from typing import Generic, TypeVar

from edgerouter.http.memory import remembered

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF

T = TypeVar("T")


def fnv1a(data: bytes, value: int = FNV_OFFSET) -> int:
    """Return the FNV-1a hash, 64 bits, of what has the hash ``value`` followed by ``data``."""
    for byte in data:
        value = ((value ^ byte) * FNV_PRIME) & _MASK
    return value


def fnv1(data: bytes) -> int:
    """Return the FNV-1 hash, 64 bits."""
    value = FNV_OFFSET
    for byte in data:
        value = ((value * FNV_PRIME) & _MASK) ^ byte
    return value


class Rendezvous(Generic[T]):
    """Ranks items for keys; remembers the ranking of the last keys."""

    def __init__(self, items: Sequence[tuple[str, int, T]]) -> None:
        """Take items as name, weight and the item itself; weight 0 or less takes no part."""
        self._items = [(_encoded(name), weight, item) for name, weight, item in items if weight > 0]
        self.ranked = remembered(4096)(self._rank)
        """``ranked(key)``: the items, the one of choice first."""

    def _rank(self, key: str) -> tuple[T, ...]:
        start = fnv1a(_encoded(key))
        scores = [(_score(fnv1a(name, start), weight), item) for name, weight, item in self._items]
        scores.sort(key=lambda pair: pair[0], reverse=True)
        return tuple(item for _, item in scores)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _score(hashed: int, weight: int) -> float:
    share = hashed / 2.0**64
    if share <= 0.0:
        return 0.0
    return weight / -log(share) if share < 1.0 else float("inf")
