"""Sticky sessions: a cookie that names the server a client stays with.

Name, value and attributes are Traefik's, so clients keep their server when a
router is exchanged for ours: the name is ``_`` and five hexadecimal digits of
a hash of the service's name, the value sixteen of a hash of the server's URL.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any, TypeVar

from edgerouter.http.headers import Headers
from edgerouter.services.rendezvous import fnv1

SAME_SITE = {"none": "None", "lax": "Lax", "strict": "Strict"}
_NO_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")

T = TypeVar("T")


class StickyCookie:
    """The ``sticky.cookie`` options of one service."""

    __slots__ = ("_attributes", "name")

    def __init__(self, service: str, options: Mapping[str, Any]) -> None:
        name = cleaned(options.get("name") or "") or default_name(service)
        self.name = name.encode()
        self._attributes = _attributes(options)

    def chosen(self, headers: Headers) -> bytes | None:
        """Return the value the client sent, or None (RFC 6265, section 5.4)."""
        start = self.name + b"="
        for field in headers.all(b"cookie"):
            for part in field.split(b";"):
                pair = part.strip(b" \t")
                if pair.startswith(start):
                    return pair[len(start) :].strip(b'"')
        return None

    def header(self, value: bytes) -> tuple[bytes, bytes]:
        """Return the ``Set-Cookie`` field that makes a client stay."""
        return b"Set-Cookie", self.name + b"=" + value + self._attributes


def _attributes(options: Mapping[str, Any]) -> bytes:
    parts = [f"; Path={options.get('path') or '/'}"]
    if domain := options.get("domain"):
        parts.append(f"; Domain={domain.removeprefix('.')}")
    max_age = options.get("maxAge") or 0
    if max_age:
        parts.append(f"; Max-Age={max(max_age, 0)}")
    if options.get("httpOnly"):
        parts.append("; HttpOnly")
    if options.get("secure"):
        parts.append("; Secure")
    if same_site := SAME_SITE.get(str(options.get("sameSite") or "").lower()):
        parts.append(f"; SameSite={same_site}")
    return "".join(parts).encode("latin-1", "replace")


def cleaned(name: str) -> str:
    """Return a cookie's name with ``_`` for what may not stand in it, as Traefik does."""
    return _NO_TOKEN.sub("_", name)


def default_name(service: str) -> str:
    """Return Traefik's name for the cookie of ``service`` (qualified name)."""
    digest = sha1(f"_TRAEFIK_BACKEND_{service}".encode(), usedforsecurity=False)
    return f"_{digest.hexdigest()[:5]}"


@lru_cache(maxsize=4096)
def server_value(url: str) -> bytes:
    """Return the cookie value for a server URL or a service's name."""
    return sha256(url.encode()).hexdigest()[:16].encode()


@lru_cache(maxsize=4096)
def old_values(name: str) -> tuple[bytes, ...]:
    """Return what older Traefik versions gave: the name, and FNV-1 once and twice."""
    once = f"{fnv1(name.encode()):x}"
    twice = f"{fnv1(once.encode()):x}"
    return name.encode(), once.encode(), twice.encode()


def by_value(names: Mapping[str, T]) -> dict[bytes, T]:
    """Return the items by every cookie value that stands for them, the newest kind last."""
    found = {value: item for name, item in names.items() for value in old_values(name)}
    return found | {server_value(name): item for name, item in names.items()}
