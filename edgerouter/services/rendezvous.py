"""Highest random weight: a key ranks items, and adding or losing one moves few keys.

Hash and score are Traefik's, so that clients keep their server when a router is
exchanged for ours.
"""

import struct
from collections.abc import Sequence
from itertools import takewhile
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


class _Names:
    """Names of one length, hashed together: one lane of a large number for each.

    A byte of all names costs about as much as one of a single name, and hundreds of servers not
    much more than a few. Lanes have 128 bits, into which a product of 64 bits and the prime fits.
    """

    def __init__(self, names: Sequence[bytes]) -> None:
        self._lanes = struct.Struct("<" + "Q8x" * len(names))
        self._ones = self._packed([1] * len(names))
        columns = list(zip(*names, strict=True))
        common = takewhile(lambda column: len(set(column)) == 1, columns)
        self._prefix = bytes(column[0] for column in common)
        self._columns = [self._packed(column) for column in columns[len(self._prefix) :]]

    def _packed(self, values: Sequence[int]) -> int:
        return int.from_bytes(self._lanes.pack(*values), "little")

    def hashes(self, value: int) -> tuple[int, ...]:
        """Return FNV-1a of what has the hash ``value`` followed by each of the names."""
        mask = _MASK * self._ones
        value = fnv1a(self._prefix, value) * self._ones
        for column in self._columns:
            value = ((value ^ column) * FNV_PRIME) & mask
        return self._lanes.unpack(value.to_bytes(self._lanes.size, "little"))


class Rendezvous(Generic[T]):
    """Ranks items for keys; remembers the ranking of the last keys."""

    def __init__(self, items: Sequence[tuple[str, int, T]]) -> None:
        """Take items as name, weight and the item itself; weight 0 or less takes no part."""
        groups: dict[int, list[tuple[bytes, int, T]]] = {}
        for name, weight, item in items:
            if weight > 0:
                encoded = _encoded(name)
                groups.setdefault(len(encoded), []).append((encoded, weight, item))
        self._groups = [
            (_Names([name for name, _, _ in group]), [each[1:] for each in group])
            for group in groups.values()
        ]
        self.ranked = remembered(4096)(self._rank)
        """``ranked(key)``: the items, the one of choice first."""

    def _rank(self, key: str) -> tuple[T, ...]:
        start = fnv1a(_encoded(key))
        scores = [
            (_score(hashed, weight), item)
            for names, items in self._groups
            for hashed, (weight, item) in zip(names.hashes(start), items, strict=True)
        ]
        scores.sort(key=lambda pair: pair[0], reverse=True)
        return tuple(item for _, item in scores)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _score(hashed: int, weight: int) -> float:
    share = hashed / 2.0**64
    if share <= 0.0:
        return 0.0
    return weight / -log(share) if share < 1.0 else float("inf")
