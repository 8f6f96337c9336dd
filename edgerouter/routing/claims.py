"""Claims: the hosts and paths for which a rule can be true at all.

A rule's claims are alternatives; a request that fits none of them cannot
match. They may be too wide, never too narrow. A claim that says all there is
to the rule is ``exact``: a request that fits it matches.
"""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_PRODUCT = 256
"""How many claims one ``&&`` may multiply to before only one side is used."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Conditions on host and path; an empty text is no condition."""

    host: str = ""
    """A name, or a dot and the rest of a name for exactly one label more."""
    path: str = ""
    prefix: str = ""
    exact: bool = False


ANY = Claim()


def union(parts: Iterable[list[Claim]]) -> list[Claim]:
    """Return the claims of alternatives."""
    return list(dict.fromkeys(claim for part in parts for claim in part))


def intersection(left: list[Claim], right: list[Claim]) -> list[Claim]:
    """Return the claims of a conjunction."""
    if len(left) * len(right) > MAX_PRODUCT:
        # Both sides are necessary conditions, so one of them alone is as well.
        side = min((left, right), key=lambda claims: (_unbounded(claims), len(claims)))
        return [Claim(claim.host, claim.path, claim.prefix) for claim in side]
    pairs = (_both(a, b) for a in left for b in right)
    return list(dict.fromkeys(claim for claim in pairs if claim is not None))


def _unbounded(claims: list[Claim]) -> bool:
    """Tell whether a claim among ``claims`` has no condition."""
    return any(not (claim.host or claim.path or claim.prefix) for claim in claims)


def _both(a: Claim, b: Claim) -> Claim | None:
    host = _host(a.host, b.host)
    place = _place(a, b)
    if host is None or place is None:
        return None
    return Claim(host, *place, exact=a.exact and b.exact)


def _host(a: str, b: str) -> str | None:
    if not a or not b or a == b:
        return a or b
    if a.startswith(".") == b.startswith("."):
        return None
    suffix, name = (a, b) if a.startswith(".") else (b, a)
    _, dot, rest = name.partition(".")
    return name if dot + rest == suffix else None


def _place(a: Claim, b: Claim) -> tuple[str, str] | None:
    """Return path and prefix of both, or None when no path fits both."""
    if a.path and b.path:
        return (a.path, "") if a.path == b.path else None
    path, prefix = a.path or b.path, a.prefix or b.prefix
    if path:
        return (path, "") if path.startswith(prefix) else None
    if a.prefix and b.prefix:
        short, long = sorted((a.prefix, b.prefix), key=len)
        return ("", long) if long.startswith(short) else None
    return "", prefix
