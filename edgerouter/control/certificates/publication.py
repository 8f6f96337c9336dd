"""Waits until every worker has what a source of certificates has just changed."""

import asyncio
from collections.abc import Callable

from edgerouter.control.publisher import Publisher

POLL = 0.02
"""Seconds between two looks at what workers have."""


class Publication:
    """The changes of one source on their way to the workers."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._changes = 0
        """How often something has changed."""
        self._gathered = 0
        """How many of these changes are in the snapshot that is being made."""
        self._published = (0, 0)
        """How many of them are in which version of the snapshot."""

    def gathered(self) -> None:
        """Take note that a snapshot is made of what there is now."""
        self._gathered = self._changes

    def published(self) -> None:
        """Take note that this snapshot is on its way."""
        self._published = self._gathered, self._publisher.version

    async def wait(self, change: Callable[[], None]) -> None:
        """Call ``change``, which has a snapshot made; return once every worker has applied it."""
        self._changes += 1
        mine = self._changes
        change()
        while True:
            await asyncio.sleep(POLL)
            changes, version = self._published
            slots = [slot for slot in self._publisher.slots if slot.ready]
            if changes >= mine and all(slot.applied >= version for slot in slots):
                return
