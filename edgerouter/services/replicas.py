"""Stickiness by replica: a cookie names a place in the project, not an address.

Traefik's cookie names the server's URL, and with it an address that the next
container need not have. With ``sticky.cookie.replica`` it names the replica, which a
re-created container is again; while it is away, its clients are served by
others and keep their cookie.
"""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from edgerouter.services.sticky import server_value

AWAY = 60.0
"""Seconds for which clients keep the cookie of a replica that is away."""


class Replicas:
    """What stands in the cookies of one service."""

    __slots__ = ("_away", "_names", "_values")

    def __init__(self, service: str, options: Mapping[str, Any]) -> None:
        cookie = (options.get("sticky") or {}).get("cookie") or {}
        servers = (options.get("servers") or ()) if cookie.get("replica") else ()
        self._names: dict[str, str] = {
            server["url"]: f"{service}/{server['replica']}"
            for server in servers
            if server.get("replica")
        }
        self._values = frozenset(map(server_value, self._names.values()))
        self._away: dict[bytes, float] = {}
        """Since when values that clients have stand for nobody."""

    def name(self, url: str) -> str:
        """Return what a server's cookie is made of."""
        return self._names.get(url, url)

    def inherit(self, former: "Replicas") -> None:
        """Take over what the service remembered before it changed."""
        now = monotonic()
        known = dict.fromkeys(former._values, now) | former._away
        self._away = {value: since for value, since in known.items() if now - since < AWAY}

    def is_away(self, value: bytes | None) -> bool:
        """Tell whether a client that was served by another replica keeps its cookie."""
        if value is None or (value not in self._values and value not in self._away):
            return False
        now = monotonic()
        return now - self._away.setdefault(value, now) < AWAY

    def is_back(self, value: bytes) -> None:
        """Take note that a replica has answered."""
        if value in self._away:
            del self._away[value]
