"""Says why a request matched nothing: in the log, and in a header where the API is open."""

import logging
from collections.abc import Callable, Mapping
from time import monotonic

from edgerouter.http.message import Request
from edgerouter.observability.logs import fields
from edgerouter.routing.table import RouteTable

EXPLANATIONS_PER_SECOND = 5.0
"""Explaining costs more than answering: what is above is counted only."""

BURST = 20.0
"""Lines that may be written at once, and"""

LINES_PER_SECOND = 0.2
"""from then on: a scan of the whole internet must not fill the disk."""

REPEAT = 60.0
"""Seconds until a line with the same host and reason is written again."""

MOST_REMEMBERED = 1000

log = logging.getLogger(__name__)


class Allowance:
    """So many things per second, and ``burst`` of them at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._last = now

    def take(self, now: float) -> bool:
        """Take one if there is one left."""
        self._left = min(self._burst, self._left + (now - self._last) * self._rate)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Unmatched:
    """Explains 404s of one worker; the tables are those of the last snapshot."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        start = now()
        self._explanations = Allowance(EXPLANATIONS_PER_SECOND, EXPLANATIONS_PER_SECOND, start)
        self._lines = Allowance(LINES_PER_SECOND, BURST, start)
        self._said: dict[tuple[str, str, str], float] = {}
        """When a line about an entry point, host and reason was written."""
        self._silent = 0
        self.tables: Mapping[str, RouteTable] = {}
        """Routers that answer plain connections, by entry point."""
        self.secure: Mapping[str, RouteTable] = {}
        """Routers that answer TLS connections only, by entry point."""
        self.disabled: Mapping[str, RouteTable] = {}
        """Routers that are disabled, by entry point."""
        self.reasons: Mapping[str, str] = {}
        """Why a disabled router is disabled."""

    def explain(self, request: Request) -> str:
        """Return what came nearest to ``request`` and why it did not match."""
        here = request.peer.entrypoint
        if route := self._match(self.disabled, here, request):
            return f"router {route} matches, but is disabled: {self.reasons.get(route, '')}"
        secure = request.peer.tls is not None
        own, other = (self.secure, self.tables) if secure else (self.tables, self.secure)
        if route := self._match(other, here, request):
            kind = "has no tls section and answers only plain" if secure else "answers only TLS"
            return f"router {route} matches, but {kind} connections"
        for name in own:
            route = self._match(own, name, request) if name != here else ""
            if route and not route.endswith("@internal"):  # Redirections match everything.
                return f"router {route} matches, but listens on entry point {name}, not on {here}"
        table = own.get(here)
        nearest = table.nearest(request) if table is not None else []
        if nearest:
            return "; ".join(f"router {miss.router}: {miss.reason}" for miss in nearest)
        return f"no router of entry point {here} comes near"

    @staticmethod
    def _match(tables: Mapping[str, RouteTable], name: str, request: Request) -> str:
        table = tables.get(name)
        route = table.match(request) if table is not None else None
        return route.name if route is not None else ""

    def report(self, request: Request) -> str:
        """Return why ``request`` matched nothing, and log it, both within the allowances."""
        now = self._now()
        if not self._explanations.take(now):
            self._silent += 1
            return ""
        reason = self.explain(request)
        request.exchange.error = reason
        if self._is_news((request.peer.entrypoint, request.host, reason), now):
            self._log(request, reason)
        else:
            self._silent += 1
        return reason

    def _is_news(self, what: tuple[str, str, str], now: float) -> bool:
        said = self._said.get(what)
        if (said is not None and now - said < REPEAT) or not self._lines.take(now):
            return False
        if len(self._said) >= MOST_REMEMBERED:
            self._said.clear()
        self._said[what] = now
        return True

    def _log(self, request: Request, reason: str) -> None:
        log.info(
            "No router matches",
            extra=fields(
                entryPoint=request.peer.entrypoint,
                method=request.method,
                host=request.authority,
                path=request.path[:200],
                client=request.peer.ip,
                nearest=reason,
                **({"notLogged": self._silent} if self._silent else {}),
            ),
        )
        self._silent = 0
