"""The certificates that we have, of all resolvers; which are served, and in what order."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import TypeAlias

from edgerouter.acme.storage import Stored

Key: TypeAlias = tuple[str, frozenset[str]]
"""Resolver and names."""


def key_of(stored: Stored) -> Key:
    """Return what there is one certificate of."""
    return stored.resolver, frozenset(stored.names)


class Holdings:
    """One certificate for each resolver and set of names."""

    def __init__(self) -> None:
        self._stored: dict[Key, Stored] = {}

    def __iter__(self) -> Iterator[Stored]:
        return iter(list(self._stored.values()))

    def get(self, key: Key) -> Stored | None:
        """Return the certificate for exactly these names."""
        return self._stored.get(key)

    def keep(self, stored: Stored) -> bool:
        """Have a certificate; whether it is another than before."""
        key = key_of(stored)
        known = self._stored.get(key)
        if known is not None and replace(stored, revoked=known.revoked) == known:
            # It may have been read before it was revoked.
            stored = replace(stored, revoked=stored.revoked or known.revoked)
        self._stored[key] = stored
        return known != stored

    def keep_found(self, stored: Stored) -> bool:
        """Have a certificate of the storage, where we may just have put another."""
        known = self._stored.get(key_of(stored))
        if known is not None and known.facts.not_before > stored.facts.not_before:
            return False
        return self.keep(stored)

    def drop(self, stored: Stored) -> None:
        """Have it no longer."""
        self._stored.pop(key_of(stored), None)

    def served(self, now: datetime, wanted: Collection[Key]) -> list[Stored]:
        """Return every certificate that is good, the preferred first.

        Those that are wanted come before what others have left, then those of the latest end.
        One that is revoked is served only until there is another.
        """
        ranked = [
            ((each.revoked, key not in wanted, -each.facts.not_after.timestamp()), each)
            for key, each in self._stored.items()
            if each.facts.not_after > now and (key in wanted or not each.revoked)
        ]
        return [each for _, each in sorted(ranked, key=itemgetter(0))]
