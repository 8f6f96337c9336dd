"""Which certificates are needed for what routers want: sets shared, covered names left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

UNUSED = timedelta(days=30)
"""A certificate on demand that no client has asked for in this time is not renewed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Names that routers want a resolver to certify."""

    resolver: str
    names: tuple[str, ...]
    """Lower case, the main name first."""
    routers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from the wishes."""

    orders: tuple[Wish, ...]
    """One certificate each."""
    covered: tuple[Wish, ...]
    """Wishes that other certificates fulfil."""


def is_covered(names: Iterable[str], available: Iterable[str]) -> bool:
    """Whether each of ``names`` is good by one of ``available``."""
    exact = set(available)
    wildcards = {name[2:] for name in exact if name.startswith("*.")}
    return all(
        name in exact or (not name.startswith("*.") and name.partition(".")[2] in wildcards)
        for name in names
    )


def widened(names: Iterable[str], domains: Iterable[str]) -> tuple[str, ...]:
    """Return the names with a wildcard in the place of those directly below one of ``domains``.

    A domain may be written as its wildcard, too.
    """
    known = {domain.lower().removeprefix("*.").strip(".") for domain in domains} - {""}
    parents = ((name, name.partition(".")[2]) for name in names)
    return tuple(
        dict.fromkeys(f"*.{parent}" if parent in known else name for name, parent in parents)
    )


def make_plan(wishes: Sequence[Wish]) -> Plan:
    """Return the certificates to order.

    Equal sets of one resolver become one order. Wildcards and large sets come first, so that
    what they cover is not ordered again.
    """
    merged: dict[tuple[str, frozenset[str]], Wish] = {}
    for wish in wishes:
        key = wish.resolver, frozenset(wish.names)
        known = merged.get(key)
        routers = sorted({*wish.routers, *(known.routers if known else ())})
        names = known.names if known else tuple(dict.fromkeys(wish.names))
        merged[key] = Wish(wish.resolver, names, tuple(routers))
    available: set[str] = set()
    orders, covered = [], []
    for wish in sorted(merged.values(), key=_rank):
        if is_covered(wish.names, available):
            covered.append(wish)
        else:
            orders.append(wish)
            available.update(wish.names)
    return Plan(tuple(orders), tuple(covered))


def _rank(wish: Wish) -> tuple[int, int, tuple[str, ...], str]:
    wildcards = sum(name.startswith("*.") for name in wish.names)
    return -wildcards, -len(wish.names), wish.names, wish.resolver
