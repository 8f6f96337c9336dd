"""What was ordered and what failed, on the disk: restarts cannot burn the CA's limits.

Every order is written down before it is made. Before each the ledger says whether the CA's
limits allow it, and if not when they will. Failures with their next try are kept too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from edgerouter.acme.files import locked, read_json, set_aside, write_json

HOUR, DAY = 3600.0, 86400.0
KEPT = 8 * DAY
"""How long orders are remembered: a little more than the longest window."""

Outcome = Literal["made", "issued", "failed"]


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so many seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a CA allows one account."""

    orders: Limit
    """New orders."""
    domain: Limit
    """New certificates per registered domain; renewals do not count."""
    names: Limit
    """Certificates for exactly the same names."""
    failures: Limit
    """Failed validations per name."""


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
    """Seconds since 1970."""
    directory: str
    names: tuple[str, ...]
    outcome: Outcome = "made"
    renewal: bool = False
    failed: tuple[str, ...] = ()
    """Names whose proof failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no certificate, and when it is tried again."""

    count: int
    next_try: float
    reason: str
    rehearsed: bool = False
    """The order succeeded on the CA's staging endpoint since."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that an order would exceed."""

    until: float
    reason: str


class Ledger:
    """The ledger of one resolver; safe for threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def refusal(
        self,
        limits: Limits,
        directory: str,
        names: Sequence[str],
        now: float,
        *,
        renewal: bool = False,
    ) -> Refusal | None:
        """Return the limit that a new order would exceed, the one that lasts longest, or None."""
        entries = [entry for entry in self._entries() if entry.directory == directory]
        return max(
            _exceeded(limits, entries, names, now, renewal),
            key=lambda refusal: refusal.until,
            default=None,
        )

    def ordered(
        self, directory: str, names: Sequence[str], now: float, *, renewal: bool = False
    ) -> None:
        """Write down an order that is about to be made."""
        entry = Entry(now, directory, tuple(names), renewal=renewal)
        with self._changed() as content:
            orders = [order for order in content.get("orders", []) if order["time"] > now - KEPT]
            content["orders"] = [*orders, asdict(entry)]

    def finished(
        self, directory: str, names: Sequence[str], outcome: Outcome, failed: Iterable[str] = ()
    ) -> None:
        """Write down what became of the latest order of these names."""
        with self._changed() as content:
            for order in reversed(content.get("orders", [])):
                if order["directory"] == directory and tuple(order["names"]) == tuple(names):
                    order["outcome"] = outcome
                    order["failed"] = list(failed)
                    break

    def failure(self, names: Sequence[str]) -> Failure | None:
        """Return what is known of the last failure for these names."""
        found = self._read().get("failures", {}).get(_key(names))
        return Failure(**found) if found else None

    def set_failure(self, names: Sequence[str], failure: Failure | None) -> None:
        """Remember a failure, or forget it."""
        with self._changed() as content:
            failures = content.setdefault("failures", {})
            if failure is None:
                failures.pop(_key(names), None)
            else:
                failures[_key(names)] = asdict(failure)

    def _entries(self) -> Iterator[Entry]:
        for order in self._read().get("orders", []):
            yield Entry(
                **{**order, "names": tuple(order["names"]), "failed": tuple(order["failed"])}
            )

    def _read(self) -> dict[str, Any]:
        try:
            return read_json(self._path)
        except ValueError:
            set_aside(self._path)
            return {}

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """Change the file's content under its lock."""
        with locked(self._path.with_name(".ledger.lock")):
            content = self._read()
            yield content
            write_json(self._path, content)


def _key(names: Sequence[str]) -> str:
    return " ".join(sorted(names))


def _exceeded(
    limits: Limits, entries: list[Entry], names: Sequence[str], now: float, renewal: bool
) -> Iterator[Refusal]:
    same = _key(names)
    checks: list[tuple[Limit, list[float], str]] = [
        (limits.orders, [e.time for e in entries], "new orders"),
        (
            limits.names,
            [e.time for e in entries if e.outcome != "failed" and _key(e.names) == same],
            f"certificates for exactly {', '.join(names)}",
        ),
    ]
    if not renewal:
        for domain in sorted({registered_domain(name) for name in names}):
            times = [
                e.time
                for e in entries
                if not e.renewal
                and e.outcome != "failed"
                and any(registered_domain(name) == domain for name in e.names)
            ]
            checks.append((limits.domain, times, f"new certificates for {domain}"))
    for name in names:
        times = [e.time for e in entries if name in e.failed]
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
