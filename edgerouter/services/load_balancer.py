"""The ``loadBalancer`` service: one of several equal servers answers.

A server that refuses the connection costs nothing but time: nothing was sent,
so the next one is asked, whatever the method. Everything else is final.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from random import random
from time import monotonic, perf_counter
from typing import Any
from weakref import WeakMethod

from edgerouter.http.errors import ExchangeError, NoServer, UpstreamReset
from edgerouter.http.message import Request, Response
from edgerouter.services.balancer import WeightedRoundRobin
from edgerouter.services.observed import Observed, failure_limit, success_rates
from edgerouter.services.queueing import Queue, Ticket
from edgerouter.services.replicas import Replicas
from edgerouter.services.server import Fences, Health, Server
from edgerouter.services.slots import Slots
from edgerouter.services.sticky import StickyCookie, by_value, server_value
from edgerouter.services.strategies import COUNTING, chooser_of
from edgerouter.services.tunnels import Tunnels
from edgerouter.services.waiting import Room
from edgerouter.shared.in_flight import InFlight
from edgerouter.shared.memory import private

LEAST_SHARE = 0.1
"""What a server gets of its share of requests at the very beginning of a slow start."""

_NOBODY: frozenset[Server] = frozenset()


class LoadBalancer:
    """A handler that picks a server; what it knows of servers outlives it (``Server.state``)."""

    def __init__(
        self,
        name: str,
        servers: Sequence[Server],
        fences: Fences,
        options: Mapping[str, Any],
        health: Health | None = None,
        room: Room | None = None,
        counts: InFlight | None = None,
        queue: Queue | None = None,
    ) -> None:
        self.name = name
        self.servers = servers
        self.urls = frozenset(server.url for server in servers)
        self.up = False
        """Whether there is a server that can be asked."""
        self.tunnels: Tunnels | None = None
        """What closes tunnels to servers that are removed."""
        self._taken_out = max(0, len(options.get("servers") or ()) - len(servers))
        """How many servers the configuration itself says are down."""
        absent = options.get("absent")
        self._absent = f" ({absent})" if absent else ""
        """Why it has not got the one server that it would have."""
        self._fences = fences
        self._health = health or Health()
        strategy = options.get("strategy") or "wrr"
        self._rotation = WeightedRoundRobin(servers)
        self._chooser = chooser_of(strategy, servers, options)
        self._out = _NOBODY
        """Servers that are not to be asked now."""
        self._backups = _NOBODY
        """Those of them that only wait for the others to fail: backups, and unproven ones."""
        self._set_sticky(options if strategy != "hrw" else {})
        self._room = room
        if room is not None:
            room.current = self
        self._slots: Slots | None = None
        self.queue: Queue | None = None
        """Where requests wait for a place; it is the one of the load balancer before."""
        if options.get("maxConnections"):
            self.queue = queue or Queue(Slots(counts or private().in_flight, name))
            self.queue.configure(options)
            self._slots = self.queue.slots
        self._slow_start: float = options.get("slowStart") or 0.0
        self._is_plain = not (
            self._chooser or self._sticky or self._room or self.queue or self._slow_start
        )
        """Whether servers just take turns; the shortest way for most requests."""
        self._observe(options, counts=self._slots is not None or strategy in COUNTING)
        changed = _weakly(self.refresh)
        for server in servers:
            server.state.changed = changed
            if self.queue is not None:
                server.state.left = self.queue.move
        self._fences.watch(self)
        self._health.watch(self)
        if queue is not None:
            queue.pass_on(self)  # First: those before may have servers that are no more.
        self.refresh()
        if queue is not None:
            queue.move()

    def _set_sticky(self, options: Mapping[str, Any]) -> None:
        cookie = (options.get("sticky") or {}).get("cookie")
        self._sticky = None if cookie is None else StickyCookie(self.name, cookie)
        self.replicas = Replicas(self.name, options)
        self._by_value: dict[bytes, Server] = {}
        if self._sticky is not None:
            names = {self.replicas.name(server.url): server for server in self.servers}
            self._by_value = by_value(names)

    def _observe(self, options: Mapping[str, Any], *, counts: bool) -> None:
        limit = failure_limit(options)
        self._spares_last = limit is not None and limit.spares_last
        if limit is not None or counts:
            states = [server.state for server in self.servers]
            rates = success_rates(states, options, limit)
            for server in self.servers:
                server.forward = Observed(server, states, limit, self._slots, rates)

    def scatter(self) -> None:
        """Begin anywhere in the round."""
        self._rotation.scatter()

    def is_up(self) -> bool:
        """Tell whether there is a server that can be asked."""
        return self.up

    def refresh(self) -> None:
        """Look which servers can be asked now."""
        fenced, down = self._fences.urls, self._health.down(self.name)
        for server in self.servers:
            server.state.gone = server.url in fenced or server.url in down or server.weight <= 0
        left = [server for server in self.servers if not server.state.gone]
        usable = [server for server in left if not server.state.out]
        if self._spares_last and not usable:
            usable = left
        unproven = self._health.unproven(self.name)
        ranks = [(server.url in unproven, server.backup) for server in usable]
        best = min(ranks, default=None)
        asked = [server for server, rank in zip(usable, ranks, strict=True) if rank == best]
        self.up = bool(usable)
        self._backups = frozenset(usable).difference(asked)
        self._out = frozenset(self.servers).difference(asked)
        if self._slow_start:
            self._note_start(frozenset(usable), unproven)
        if self._room is not None:
            self._room.note(self, frozenset(server.url for server in usable))
        if self.queue is not None:
            self.queue.move()

    def _note_start(self, usable: Collection[Server], unproven: Collection[str]) -> None:
        """Remember since when servers are usable; those that always were are warm."""
        now = monotonic()
        for server in self.servers:
            if server.url in unproven:
                continue  # Its start begins when its first probe has passed.
            if server not in usable:
                server.state.usable_since = None
            elif server.state.usable_since is None:
                server.state.usable_since = now

    def _is_cold(self, server: Server) -> bool:
        """Tell whether a server that has just come gets less than its share this time."""
        since = server.state.usable_since
        if not since:
            return False
        share = (monotonic() - since) / self._slow_start
        return share < 1 and random() > max(share, LEAST_SHARE)  # noqa: S311 - no secret

    def __call__(self, request: Request) -> Awaitable[Response]:
        request.exchange.service = self.name
        if self._is_plain and (server := self._rotation.next(self._out)) is not None:
            return self._ask(request, server)
        if self._room is not None:
            return self._room.serve(request, self)
        return self.attempt(request)

    def attempt(self, request: Request) -> Awaitable[Response]:
        """Ask a server, without waiting for one to come.

        Raises:
            NoServer: There is none.
        """
        if self.queue is not None:
            return self.queue.serve(request, self)
        if request.exchange.hung:
            return self.ask(request, self._pick_another(request))
        return self.ask(request, self._stuck(request) or self._pick(request))

    def _pick_another(self, request: Request) -> Server:
        """Pick a server, not the one that let the last attempt hang if there is another."""
        hung, request.exchange.hung = request.exchange.hung, ""
        try:
            return self._pick(request, [server for server in self.servers if server.url == hung])
        except NoServer:
            return self._pick(request)

    def claim(self, request: Request, failed: Collection[str] = ()) -> Server | None:
        """Take a place at a server that is not ``failed``; None while all of them are full.

        Raises:
            NoServer: There is no server that can be asked.
        """
        slots = self._slots
        if self.up and slots is not None and not slots.is_ours(self._usable()):
            return None
        if failed:
            return self._take(request, [s for s in self.servers if s.url in failed])
        server = self._stuck(request)
        if server is not None and (slots is None or slots.take(server.url)):
            return server
        return self._take(request, ())

    def give_back(self, server: Server) -> None:
        """Give back a place that was taken and not used."""
        if self._slots is not None:
            self._slots.give(server.url)

    def _take(self, request: Request, failed: Sequence[Server]) -> Server | None:
        """Pick a server and take a place there, if places are counted; None: all are full.

        Raises:
            NoServer: There is no server that can be asked.
        """
        slots = self._slots
        if slots is None:
            return self._pick(request, failed)
        # Of servers that cannot be asked it says nothing whether they are full.
        gone = [*failed, *(self._out - self._backups)]
        full = [s for s in self.servers if s.state.active >= slots.limit and s not in gone]
        while True:
            try:
                server = self._pick(request, failed, full)
            except NoServer:
                if not full:
                    raise
                return None
            if slots.take(server.url):
                return server
            full.append(server)

    def _usable(self) -> list[Server]:
        return [server for server in self.servers if server not in self._out]

    def _pick(
        self, request: Request, failed: Sequence[Server] = (), full: Sequence[Server] = ()
    ) -> Server:
        excluded: Collection[Server] = self._out
        if failed or full:
            excluded = [*failed, *full, *excluded]
        server = self._choose(request, excluded)
        if self._slow_start and server is not None and self._is_cold(server):
            server = self._choose(request, [*excluded, server]) or server
        if server is None and failed and self._backups:
            server = self._choose(request, [*failed, *full, *(self._out - self._backups)])
        if server is None:
            message = f"the service {self.name} has no server that can be asked{self._why()}"
            raise NoServer(message)
        return server

    def _why(self) -> str:
        """Return what is wrong with the servers, after a colon."""
        if not self.servers and not self._taken_out:
            return f": it has no servers{self._absent}"
        fenced, down = self._fences.urls, self._health.down(self.name)
        counts = Counter(
            "going away"
            if server.url in fenced
            else "down (health check)"
            if server.url in down
            else "at rest after failures"
            if server.state.out
            else "without weight"
            if server.weight <= 0
            else "up"
            for server in self.servers
        )
        counts += Counter({"down (configuration)": self._taken_out})
        return ": " + ", ".join(f"{number} {what}" for what, number in counts.items())

    def _choose(self, request: Request, excluded: Collection[Server]) -> Server | None:
        if self._chooser is not None:
            return self._chooser.choose(request, excluded)
        return self._rotation.next(excluded)

    async def _ask(
        self, request: Request, server: Server, ticket: Ticket | None = None
    ) -> Response:
        """Ask ``server``, and others in turn as long as nothing could be sent."""
        failed: list[Server] = []
        if ticket is not None:
            failed += [known for known in self.servers if known.url in ticket.failed]
        exchange = request.exchange
        while True:
            exchange.server = server.url
            start = perf_counter()
            try:
                response = await server.forward(request)
            except ExchangeError as error:
                exchange.origin_duration = perf_counter() - start
                if error.retry != "always" and not self._may_repeat(request, error):
                    raise
                failed.append(server)
                try:
                    another = self._take(request, failed)
                except NoServer:
                    raise error from None
                exchange.retries += 1
                if another is None:
                    return await self._ask_later(request, failed, ticket, error)
                server = another
            else:
                exchange.origin_duration = perf_counter() - start
                exchange.origin_status = response.status
                exchange.origin_headers = response.headers
                exchange.origin_length = response.body.length
                if response.tunnel is not None and self.tunnels is not None:
                    response.tunnel = self.tunnels.watch(
                        server.url, response.tunnel, request.upgrade
                    )
                return response

    def _may_repeat(self, request: Request, error: ExchangeError) -> bool:
        """Tell whether another server may be asked although something was sent."""
        if not isinstance(error, UpstreamReset):
            return False
        request.exchange.resets += 1
        return self._room is not None and self._room.repeats(request)

    async def _ask_later(
        self,
        request: Request,
        failed: Sequence[Server],
        ticket: Ticket | None,
        error: ExchangeError,
    ) -> Response:
        """Wait until a server has a place that is not among those that have ``failed``."""
        assert self.queue is not None  # noqa: S101 - for the type checker; only it is ever full
        urls = dict.fromkeys((*(ticket.failed if ticket else ()), *(s.url for s in failed)))
        try:
            return await self.queue.serve_again(request, self, urls, ticket)
        except NoServer:
            raise error from None

    def ask_again(self, request: Request, server: Server, ticket: Ticket) -> Awaitable[Response]:
        """Ask ``server``, at which a place was taken, after others have failed."""
        return self._ask(request, server, ticket)

    def _stuck(self, request: Request) -> Server | None:
        """Return the server that the client's cookie names, if it can be asked."""
        if self._sticky is None:
            return None
        value = self._sticky.chosen(request.headers)
        server = self._by_value.get(value) if value else None
        return None if server in self._out else server

    def ask(
        self, request: Request, server: Server, ticket: Ticket | None = None
    ) -> Awaitable[Response]:
        """Ask ``server``, where a place was taken if places are counted."""
        if self._sticky is not None:
            return self._stay(request, server, self._sticky, ticket)
        return self._ask(request, server, ticket)

    async def _stay(
        self, request: Request, server: Server, sticky: StickyCookie, ticket: Ticket | None
    ) -> Response:
        response = await self._ask(request, server, ticket)
        answered = server_value(self.replicas.name(request.exchange.server))
        chosen = sticky.chosen(request.headers)
        self.replicas.is_back(answered)
        if answered != chosen and not self.replicas.is_away(chosen):
            response.headers = response.headers.extended([sticky.header(answered)])
        return response


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Return a way to call ``method`` that does not keep its object alive.

    Balancers come and go with changes: in a cycle they would stay until the
    garbage collector looks at everything, which it seldom does.
    """
    reference = WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            found()

    return call
