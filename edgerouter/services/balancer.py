"""Weighted round robin: which server is next.

Earliest deadline first, as Traefik: each server has a virtual deadline that
grows by ``1 / weight`` whenever it is chosen; the smallest is next. Equal
weights make a plain rotation, which needs no heap.
"""

import heapq
from collections.abc import Collection, Sequence
from random import random
from typing import Generic, Protocol, TypeVar


class Weighted(Protocol):
    """Anything that can be chosen."""

    weight: int


T = TypeVar("T", bound=Weighted)


class WeightedRoundRobin(Generic[T]):
    """Hands out items in turn; items of weight 0 or less are never chosen."""

    __slots__ = ("_heap", "_items", "_position")

    def __init__(self, items: Sequence[T]) -> None:
        self._items = [item for item in items if item.weight > 0]
        self._position = 0
        self._heap: list[tuple[float, int, T]] | None = None
        if len({item.weight for item in self._items}) > 1:
            self._heap = [(1 / item.weight, n, item) for n, item in enumerate(self._items)]
            heapq.heapify(self._heap)

    def scatter(self) -> None:
        """Begin anywhere in the round, so that changes in quick succession favour nobody."""
        if self._heap is not None:
            self._heap = [(random() / item.weight, n, item) for _, n, item in self._heap]  # noqa: S311
            heapq.heapify(self._heap)
        elif self._items:
            self._position = int(random() * len(self._items))  # noqa: S311 - no secret

    def next(self, excluded: Collection[T] = ()) -> T | None:
        """Return the next item that is not ``excluded``, or None."""
        if self._heap is not None:
            return self._next_weighted(excluded)
        items = self._items
        for _ in items:
            item = items[self._position]
            self._position = (self._position + 1) % len(items)
            if item not in excluded:
                return item
        return None

    def _next_weighted(self, excluded: Collection[T]) -> T | None:
        heap = self._heap
        assert heap is not None  # noqa: S101 - for the type checker; the caller has looked
        skipped: list[tuple[float, int, T]] = []
        while heap:
            deadline, number, item = heapq.heappop(heap)
            if item not in excluded:
                heapq.heappush(heap, (deadline + 1 / item.weight, number, item))
                for late, place, other in skipped:
                    # It has had its turns: back again, it gets its share and not what it missed.
                    turns = int((deadline - late) * other.weight) + 1
                    heapq.heappush(heap, (late + turns / other.weight, place, other))
                return item
            skipped.append((deadline, number, item))
        self._heap = skipped  # They came in order, which is a heap.
        return None
