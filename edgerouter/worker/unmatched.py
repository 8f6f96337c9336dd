"""Says why a request matched nothing: in the log, and in a header where the API is open."""

import logging
from collections.abc import Callable, Mapping
from time import monotonic

from edgerouter.http.message import Request
from edgerouter.observability.logs import fields
from edgerouter.routing.table import RouteTable

LINES_PER_SECOND = 5.0
"""A scan of the whole internet must not fill the disk: what is above is counted only."""

log = logging.getLogger(__name__)


class Unmatched:
    """Explains 404s of one worker; the tables are those of the last snapshot."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._allowance = LINES_PER_SECOND
        self._last = now()
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
        """Log why ``request`` matched nothing, within the allowance; return the reason."""
        now = self._now()
        self._allowance = min(
            LINES_PER_SECOND, self._allowance + (now - self._last) * LINES_PER_SECOND
        )
        self._last = now
        if self._allowance < 1:
            self._silent += 1
            return ""
        self._allowance -= 1
        reason = self.explain(request)
        request.exchange.error = reason
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
        return reason
