"""Cases about limits: several requests on one connection, so that their order is certain."""

from collections.abc import Sequence

from tests.oracle.case import Case


def asked(
    name: str, *hosts: str, headers: Sequence[Sequence[str]] = (), ep: str = "web", note: str = ""
) -> Case:
    """Make a case of one request for each of ``hosts``, each with its own header fields."""
    lines = []
    for index, host in enumerate(hosts):
        own = headers[index] if index < len(headers) else ()
        head = [f"GET /{index} HTTP/1.1", f"Host: {host}.test", *own, "", ""]
        lines.append("\r\n".join(head))
    title = f"limit: {name}" + (f", {note}" if note else "")
    return Case(title, ("".join(lines).encode(),), entrypoint=ep, count=len(hosts))


def thrice(name: str) -> Case:
    return asked(name, name, name, name)


def forwarded(*values: str) -> list[list[str]]:
    return [[f"X-Forwarded-For: {value}"] if value else [] for value in values]


def keyed(*values: str) -> list[list[str]]:
    return [[f"X-Key: {value}"] if value else [] for value in values]


_RATES = [
    thrice("rl"),
    asked("rl-burst", *["rl-burst"] * 5),
    thrice("rl-burst-zero"),
    thrice("rl-burst-negative"),
    thrice("rl-none"),
    thrice("rl-none-period"),
    thrice("rl-negative"),
    thrice("rl-period-negative"),
    asked("rl-period-zero", "rl-period-zero", "rl-period-zero"),
    thrice("rl-slow"),
    thrice("rl-peer"),
    thrice("rl-empty"),
    asked("two routers with one middleware", *["rl-shared"] * 4),
    asked("two on one router", "rl-twice", "rl-twice"),
]

_SOURCES = [
    asked("rl-host", "rl-host", "rl-host-too", "rl-host", "rl-host-too"),
    asked("rl-header", *["rl-header"] * 5, headers=keyed("a", "b", "a", "", "")),
    asked(
        "rl-header",
        *["rl-header"] * 2,
        headers=[["X-Key: c", "X-Key: d"], ["X-Key: c"]],
        note="two",
    ),
    asked("rl-header-host", "rl-header-host", "rl-header-host-too", "rl-header-host"),
    asked(
        "rl-depth",
        *["rl-depth"] * 4,
        headers=forwarded("1.1.1.1, 2.2.2.2", "9.9.9.9, 2.2.2.2", "3.3.3.3", ""),
        ep="trust",
    ),
    asked("rl-depth", "rl-depth", "rl-depth", headers=forwarded("a", "b"), note="untrusted"),
    asked(
        "rl-depth-two",
        *["rl-depth-two"] * 4,
        headers=forwarded("1.1.1.1, 2.2.2.2", "1.1.1.1,9.9.9.9", "3.3.3.3", "4.4.4.4"),
        ep="trust",
    ),
    asked(
        "rl-excluded",
        *["rl-excluded"] * 5,
        headers=forwarded("1.1.1.1, 10.9.9.9", "1.1.1.1", "2.2.2.2, x", "10.1.1.1", "x, 10.2.2.2,"),
        ep="trust",
    ),
    asked(
        "rl-subnet",
        *["rl-subnet"] * 4,
        headers=forwarded("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "1.1.1.1"),
        ep="trust",
    ),
    thrice("rl-both"),
    thrice("rl-both-ip"),
    thrice("rl-bad-subnet"),
    thrice("rl-zero-subnet"),
    thrice("rl-bad-excluded"),
    asked("rl-down", "rl-down"),
]

_FLIGHTS = [
    thrice("if"),
    asked("if-zero", "if-zero"),
    asked("if-none", "if-none"),
    asked("if-negative", "if-negative"),
    asked("if-header", *["if-header"] * 3, headers=keyed("a", "a", "")),
    asked("if-depth", *["if-depth"] * 2, headers=forwarded("1.1.1.1", "1.1.1.1"), ep="trust"),
    asked("if-both", "if-both"),
]

CASES = [*_RATES, *_SOURCES, *_FLIGHTS]
