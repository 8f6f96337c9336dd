"""Services made of services with ``edgerouter.compat=traefik``."""

from collections.abc import Iterable

from edgerouter.http.message import Request, Response
from edgerouter.services.failover import Failover
from edgerouter.services.mirroring import Mirror, Mirroring


class TraefikFailover(Failover):
    """A request that finds nobody at the first service fails."""

    async def _tried(self, request: Request) -> Response:
        return await self._main.handler(request)


class TraefikMirroring(Mirroring):
    """A copy without its body, whose length it names all the same, cannot be sent."""

    def _send(self, request: Request, body: bytes, mirrors: Iterable[Mirror]) -> None:
        if self._copies_bodies or not request.body.length:
            super()._send(request, body, mirrors)
