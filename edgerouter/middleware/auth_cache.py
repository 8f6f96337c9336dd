"""What ``forwardAuth`` remembers of its server's answers, if told so: who may pass.

An answer is remembered by all that the server was told: method, URL, client and the
fields of ``authRequestHeaders``, which is therefore needed. Neither a refusal nor an
answer that sets cookies is remembered. What it is remembered by is kept as a keyed
hash; the key is random and never leaves the process.
"""

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic

from edgerouter.config.types import Duration, format_duration
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request
from edgerouter.middleware.base import BuildError

MEMORY = 4096
"""Answers remembered by one middleware in one worker."""
_KEY = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Cache:
    """What is remembered and for how long."""

    ttl: Duration = 0.0
    cookies: tuple[str, ...] = ()
    """Those that tell sessions apart; empty: all."""
    per_path: bool = True
    """An answer holds for one path and query only."""


class AuthCache:
    """The answers of one server."""

    def __init__(self, options: Cache, told: Collection[bytes]) -> None:
        """Prepare; ``told`` are the names (lower case) of ``authRequestHeaders``.

        Raises:
            BuildError: An option cannot work.
        """
        if options.ttl <= 0:
            shown = format_duration(options.ttl)
            raise BuildError(f"cache.ttl: {shown} is not above 0; write 30s for example")
        if not told:
            raise BuildError(
                "cache: needs authRequestHeaders, the headers that an answer depends on, such as"
                " Cookie: it is remembered by these"
            )
        self._ttl = options.ttl
        self._told = frozenset(told)
        self._cookies = frozenset(name.encode() for name in options.cookies)
        self._per_path = options.per_path
        self._known: dict[bytes, tuple[float, Headers]] = {}

    def key(self, request: Request) -> bytes:
        """Return what an answer is remembered by."""
        parts = [
            request.method.encode(),
            request.scheme.encode(),
            request.authority.encode("latin-1"),
            request.peer.ip_bytes,
        ]
        if self._per_path:
            parts.append(f"{request.path}?{request.query}".encode("utf-8", "surrogateescape"))
        if b"proxy-authorization" in self._told:
            parts += [b"proxy-authorization", request.exchange.proxy_authorization]
        for name, value in request.headers:
            lower = name.lower()
            if lower == b"cookie" and self._cookies:
                for pair in self._of_sessions(value):
                    parts += [lower, pair]
            elif lower in self._told or lower.startswith(b"x-forwarded-"):
                parts += [lower, value]
        digest = hashlib.blake2b(key=_KEY, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()

    def get(self, key: bytes) -> Headers | None:
        """Return the header of an answer that still holds."""
        until, told = self._known.get(key, (0.0, None))
        return told if monotonic() < until else None

    def put(self, key: bytes, answered: Headers) -> None:
        """Remember the header of an answer that lets requests go on."""
        if answered.has(b"set-cookie"):
            return
        self._known.pop(key, None)
        if len(self._known) >= MEMORY:
            del self._known[next(iter(self._known))]
        self._known[key] = (monotonic() + self._ttl, answered)

    def _of_sessions(self, value: bytes) -> list[bytes]:
        pairs = [part.strip() for part in value.split(b";")]
        return [pair for pair in pairs if pair.partition(b"=")[0].strip() in self._cookies]
