"""The ``loadBalancer`` service: one of several equal servers answers.

A server that refuses the connection costs nothing but time: nothing was sent,
so the next one is asked, whatever the method. Everything else is final.
"""

from collections.abc import Awaitable, Mapping, Sequence
from time import perf_counter
from typing import Any

from edgerouter.http.errors import ExchangeError, NoServer
from edgerouter.http.message import Request, Response
from edgerouter.services.balancer import WeightedRoundRobin
from edgerouter.services.server import Fences, Server
from edgerouter.services.sticky import StickyCookie, old_server_value, server_value


class LoadBalancer:
    """A handler that picks a server; its rotation goes on when servers come and go."""

    def __init__(
        self, name: str, servers: Sequence[Server], fences: Fences, options: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.servers = servers
        self._fences = fences
        self._rotation = WeightedRoundRobin(servers)
        sticky = options.get("sticky") or {}
        cookie = sticky.get("cookie")
        self._sticky = None if cookie is None else StickyCookie(name, cookie)
        self._by_value: dict[bytes, Server] = {}
        if self._sticky is not None:
            for server in servers:
                self._by_value[old_server_value(server.url)] = server
            for server in servers:
                self._by_value[server_value(server.url)] = server

    def __call__(self, request: Request) -> Awaitable[Response]:
        request.exchange.service = self.name
        if self._sticky is not None:
            return self._stay(request, self._sticky)
        return self._ask(request, self._pick())

    def _pick(self, failed: Sequence[Server] = ()) -> Server:
        excluded = failed
        if self._fences.urls:
            excluded = [*failed, *(s for s in self.servers if s.url in self._fences.urls)]
        server = self._rotation.next(excluded)
        if server is None:
            message = f"the service {self.name} has no server that can be asked"
            raise NoServer(message)
        return server

    async def _ask(self, request: Request, server: Server) -> Response:
        """Ask ``server``, and others in turn as long as nothing could be sent."""
        failed: list[Server] = []
        exchange = request.exchange
        while True:
            exchange.server = server.url
            start = perf_counter()
            try:
                response = await server.forward(request)
            except ExchangeError as error:
                exchange.origin_duration = perf_counter() - start
                if error.retry != "always":
                    raise
                failed.append(server)
                try:
                    server = self._pick(failed)
                except NoServer:
                    raise error from None
                exchange.retries += 1
            else:
                exchange.origin_duration = perf_counter() - start
                exchange.origin_status = response.status
                exchange.origin_headers = response.headers
                exchange.origin_length = response.body.length
                return response

    async def _stay(self, request: Request, sticky: StickyCookie) -> Response:
        value = sticky.chosen(request.headers)
        server = self._by_value.get(value) if value else None
        if server is None or server.url in self._fences.urls or server.weight <= 0:
            server = self._pick()
        response = await self._ask(request, server)
        answered = server_value(request.exchange.server)
        if answered != value:
            response.headers = response.headers.extended([sticky.header(answered)])
        return response
