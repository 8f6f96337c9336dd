"""What was ordered of a CA, on the disk: restarts cannot burn its limits.

Every order is written down before it is made, if the CA's limits allow it. All resolvers
that use the storage share the ledger of a CA, as the CA counts them together.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from edgerouter.acme.files import locked, read_json, set_aside, write_json
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

HOUR, DAY = 3600.0, 86400.0
KEPT = 8 * DAY
"""How long orders are remembered: a little more than the longest window."""

Outcome = Literal["made", "issued", "failed"]
"""Under way, so that it may become a certificate; one; none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so many seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a CA allows."""

    orders: Limit
    """New orders of an account."""
    domain: Limit
    """New certificates per registered domain, of all accounts; renewals do not count."""
    names: Limit
    """Certificates for exactly the same names, of all accounts."""
    failures: Limit
    """Failed validations per name and account."""


LETS_ENCRYPT = Limits(Limit(300, 3 * HOUR), Limit(50, 7 * DAY), Limit(5, 7 * DAY), Limit(5, HOUR))
"""https://letsencrypt.org/docs/rate-limits/"""

_KNOWN = {"acme-v02.api.letsencrypt.org": LETS_ENCRYPT}

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"})


def limits_of(directory: str) -> Limits | None:
    """Return the limits of a CA that is known, else None."""
    return _KNOWN.get(urlsplit(directory).hostname or "")


def registered_domain(name: str) -> str:
    """Return about what the public suffix list would: two labels, three under ``co.uk`` and such.

    Too short a domain counts too much together, which is the safe side.
    """
    labels = name.removeprefix("*.").split(".")
    is_deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if is_deep else -2 :])


@dataclass(frozen=True, slots=True)
class Entry:
    """One order."""

    time: float
    """When it was made, in seconds since 1970."""
    resolver: str
    names: tuple[str, ...]
    outcome: Outcome = "made"
    renewal: bool = False
    failed: tuple[str, ...] = ()
    """Names whose proof failed."""
    ended: float = 0.0
    """When the outcome was known; until then 0."""

    def is_of(self, resolver: str, names: Sequence[str]) -> bool:
        """Whether it was made for a resolver's certificate."""
        return self.resolver == resolver and _key(self.names) == _key(names)

    @property
    def counts_from(self) -> float:
        """The latest time from which the CA may count what has become of it."""
        return max(self.time, self.ended)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that an order would exceed."""

    until: float
    reason: str


class Ledger:
    """What the resolvers of one storage have ordered of one CA; safe for threads and processes.

    A resolver has one order at a time for the same names.
    """

    def __init__(self, path: Path, resolver: str, limits: Limits | None) -> None:
        self._path = path
        self._resolver = resolver
        self._limits = limits

    def refusal(self, names: Sequence[str], now: float, *, renewal: bool = False) -> Refusal | None:
        """Return the limit that a new order would exceed, the one that lasts longest, or None."""
        with self._locked():
            return self._refusal(self._read(), names, now, renewal)

    def order(self, names: Sequence[str], now: float, *, renewal: bool = False) -> Refusal | None:
        """Write down an order that is about to be made, unless that is refused."""
        with self._changed() as entries:
            # A new one is made because the last one was lost before it could be finished.
            kept = [
                replace(entry, outcome="failed", ended=now)
                if entry.outcome == "made" and entry.is_of(self._resolver, names)
                else entry
                for entry in entries
                if entry.counts_from > now - KEPT
            ]
            refusal = self._refusal(kept, names, now, renewal)
            if refusal is None:
                kept.append(Entry(now, self._resolver, tuple(names), renewal=renewal))
            entries[:] = kept
        return refusal

    def finish(
        self, names: Sequence[str], outcome: Outcome, now: float, failed: Iterable[str] = ()
    ) -> None:
        """Write down what became of the order of these names that is under way, if there is one."""
        with self._changed() as entries:
            for index, entry in enumerate(entries):
                if entry.outcome == "made" and entry.is_of(self._resolver, names):
                    entries[index] = replace(
                        entry, outcome=outcome, ended=now, failed=tuple(failed)
                    )

    def _refusal(
        self, entries: Sequence[Entry], names: Sequence[str], now: float, renewal: bool
    ) -> Refusal | None:
        if self._limits is None:
            return None
        exceeded = _exceeded(self._limits, entries, self._resolver, names, now, renewal)
        return max(exceeded, key=lambda refusal: refusal.until, default=None)

    def _read(self) -> list[Entry]:
        try:
            return [_entry(order) for order in read_json(self._path).get("orders", ())]
        except (ValueError, TypeError, KeyError) as error:
            log.error(
                "The ledger of orders is damaged and set aside; limits of the CA count anew",
                extra=fields(reason=str(error), movedTo=str(set_aside(self._path))),
            )
            return []

    @contextmanager
    def _changed(self) -> Iterator[list[Entry]]:
        """Change the file's content under its lock."""
        with self._locked():
            entries = self._read()
            known = list(entries)
            yield entries
            if entries != known:
                write_json(self._path, {"orders": [asdict(entry) for entry in entries]})

    def _locked(self) -> AbstractContextManager[bool]:
        return locked(self._path.with_name(f".{self._path.name}.lock"))


def _entry(order: dict[str, Any]) -> Entry:
    return Entry(**{**order, "names": tuple(order["names"]), "failed": tuple(order["failed"])})


def _key(names: Sequence[str]) -> str:
    return " ".join(sorted(names))


def _exceeded(
    limits: Limits,
    entries: Sequence[Entry],
    resolver: str,
    names: Sequence[str],
    now: float,
    renewal: bool,
) -> Iterator[Refusal]:
    same = _key(names)
    # What the same resolver has begun for the same names was lost, or there were no new order.
    issued = [
        entry
        for entry in entries
        if entry.outcome == "issued"
        or (entry.outcome == "made" and not entry.is_of(resolver, names))
    ]
    own = [entry for entry in entries if entry.resolver == resolver]
    checks: list[tuple[Limit, list[float], str]] = [
        (limits.orders, [e.time for e in own], "new orders"),
        (
            limits.names,
            [e.counts_from for e in issued if _key(e.names) == same],
            f"certificates for exactly {', '.join(names)}",
        ),
    ]
    if not renewal:
        for domain in sorted({registered_domain(name) for name in names}):
            times = [
                e.counts_from
                for e in issued
                if not e.renewal and any(registered_domain(name) == domain for name in e.names)
            ]
            checks.append((limits.domain, times, f"new certificates for {domain}"))
    for name in names:
        times = [e.counts_from for e in own if name in e.failed]
        checks.append((limits.failures, times, f"failed validations of {name}"))
    for limit, times, what in checks:
        recent = sorted(time for time in times if time > now - limit.seconds)
        if len(recent) >= limit.count:
            until = recent[-limit.count] + limit.seconds
            reason = (
                f"{len(recent)} {what} in {_spoken(limit.seconds)}, the CA allows {limit.count}"
            )
            yield Refusal(until, reason)


def _spoken(seconds: float) -> str:
    return f"{seconds / DAY:g} days" if seconds >= DAY else f"{seconds / HOUR:g} h"
