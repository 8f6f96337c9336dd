"""One worker: listens on inherited sockets, serves the newest snapshot, drains when told to.

Its orders come over the channel (``edgerouter/ipc/channel.py``); end of file
there means that the control plane is gone, and is answered by draining.
Counterpart: ``edgerouter/control/publisher.py``.
"""

import asyncio
import gc
import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request, Response
from edgerouter.ipc.channel import Channel, Message, encode
from edgerouter.ipc.patch import patched
from edgerouter.middleware import real_ip
from edgerouter.middleware.base import BuildError
from edgerouter.observability import logs
from edgerouter.observability.access_log import AccessLog
from edgerouter.proxy.downstream.accept import Entrance
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.forward import server_key
from edgerouter.services.internal import LifeCycle
from edgerouter.services.tunnels import FAREWELL
from edgerouter.shared.memory import Shared
from edgerouter.worker.builder import Builder
from edgerouter.worker.gateways import GatewayWatch, own_gateways
from edgerouter.worker.listening import Listening
from edgerouter.worker.on_demand import OnDemand
from edgerouter.worker.unmatched import Unmatched

BACKLOG = 4096
log = logging.getLogger(__name__)


class Worker:
    """The data plane of one process."""

    def __init__(self, channel: Channel, start: Message) -> None:
        static: Mapping[str, Any] = start["static"]
        self._channel = channel
        listeners: Mapping[str, list[int]] = start["listeners"]
        self._life_cycle = LifeCycle()
        self._unmatched = Unmatched()
        self._listening = Listening(start["worker"], listeners, self._serve)
        self._connections = {name: Connections() for name in listeners}
        self._draining: asyncio.Task[None] | None = None
        self._snapshot: Message | None = None
        """The newest, put together from the patches; patches need it."""
        self._access_log = (
            AccessLog(static["accessLog"]) if static.get("accessLog") is not None else None
        )
        self._options: Mapping[str, Any] = static["entryPoints"]
        api = static.get("api") or {}
        as_traefik = (static.get("edgerouter") or {}).get("compat") == "traefik"
        on_unmatched = self._unmatched.report
        self._entrypoints = {
            name: EntryPoint(
                name,
                self._options[name],
                on_unmatched=on_unmatched,
                shows_reason=bool(api.get("insecure")),
                as_traefik=as_traefik,
                finished=self._finished if self._access_log is not None else None,
                refused=self._refused if self._access_log is not None else None,
            )
            for name in listeners
        }
        real_ip_options = (static.get("edgerouter") or {}).get("realIp") or {}
        self._finds_real_addresses = self._find_real_addresses(real_ip_options)
        ping = static.get("ping") or {}
        self._builder = Builder(
            self._entrypoints,
            admin=start["admin"],
            ping_status=ping.get("terminatingStatusCode") or 503,
            life_cycle=self._life_cycle,
            unmatched=self._unmatched,
            as_traefik=as_traefik,
            tunnel_grace=_tunnel_grace(static),
            shared=Shared(**start["shared"], worker=start["worker"]),
        )

        self._on_demand = OnDemand(self._builder.certificates, self._ask_for_certificate)
        own = (static.get("edgerouter") or {}).get("onDemand") or {}
        if own.get("resolver"):
            for entrypoint in self._entrypoints.values():
                entrypoint.on_demand = self._on_demand
        self._questions: set[asyncio.Task[None]] = set()
        if start["worker"] == 0 and not self._finds_real_addresses:
            GatewayWatch(own_gateways(), self._entrypoints.values(), self._has_real_ip)

    async def run(self) -> None:
        """Obey the channel until drained."""
        while (message := await self._channel.receive()) is not None:
            await self._obey(message)
        self._drain({})
        if self._draining is not None:
            await self._draining

    async def _obey(self, message: Message) -> None:
        match message["type"]:
            case "snapshot":
                await self._apply(message)
            case "patch":
                await self._patch(message)
            case "fence":
                self._builder.fence(frozenset(message["urls"]))
            case "health":
                self._builder.health.replace(_sets(message["down"]), _sets(message["unproven"]))
            case "certificate":
                self._on_demand.answered(message["name"])
            case "ping":
                await self._tell({"type": "pong"})
            case "count":
                in_use = self._builder.pools.in_use({server_key(url) for url in message["urls"]})
                answer = {"question": message["question"], "connections": in_use}
                await self._tell({"type": "counted", **answer})
            case "adopt":
                await self._listening.stand_in_for(message["workers"])
            case "drain":
                self._drain(message)
            case "reopen":
                logs.reopen()
                if self._access_log is not None:
                    self._access_log.reopen()
            case unknown:
                log.warning("Unknown frame", extra=logs.fields(frame=unknown))

    async def _patch(self, patch: Message) -> None:
        if self._snapshot is None or self._snapshot["version"] != patch["base"]:
            await self._tell({"type": "resend"})
        else:
            await self._apply(patched(self._snapshot, patch), patch)

    async def _apply(self, snapshot: Message, patch: Message | None = None) -> None:
        start = perf_counter()
        self._snapshot = snapshot
        try:
            errors = self._builder.apply(snapshot, patch)
        except Exception as error:
            # A mistake of ours in one element must not take the worker along, and with it, as
            # all get the same snapshot, every other: what is served now stays.
            log.exception("The snapshot cannot be applied", extra=logs.fields(**_facts(snapshot)))
            errors = {"snapshot": [f"it cannot be applied: {type(error).__name__}: {error}"]}
        log.debug(
            "Route table swapped",
            extra=logs.fields(
                **_facts(snapshot),
                milliseconds=round((perf_counter() - start) * 1000, 2),
            ),
        )
        if not self._listening.is_open and self._draining is None:
            gc.freeze()  # Modules live for ever: the collector need not walk them again.
            await self._listening.open()
            await self._tell({"type": "ready"})
        await self._tell({"type": "applied", "version": snapshot["version"], "errors": errors})

    def _ask_for_certificate(self, name: str, *, used: bool = False) -> None:
        message: Message = {"type": "certificate", "name": name}
        if used:
            message["used"] = True
        question = asyncio.create_task(self._tell(message))
        self._questions.add(question)
        question.add_done_callback(self._questions.discard)

    async def _tell(self, message: Message) -> None:
        try:
            await self._channel.send(encode(message))
        except ConnectionError:
            log.warning("The control plane is gone")

    async def _serve(self, name: str, listening: socket.socket) -> asyncio.Server:
        """Serve the entry point ``name`` on one more socket."""
        loop = asyncio.get_running_loop()
        entrypoint, connections = self._entrypoints[name], self._connections[name]
        return await loop.create_server(
            lambda: Entrance(entrypoint, connections, loop), sock=listening, backlog=BACKLOG
        )

    def _find_real_addresses(self, options: Mapping[str, Any]) -> bool:
        """Have every entry point find clients behind trusted proxies, where that is wanted."""
        trusted = tuple(options.get("trusted") or ())
        if not trusted:
            return False
        try:
            resolve = real_ip.resolver(real_ip.Options(trusted, options.get("header") or ""))
        except BuildError as error:
            log.error("edgerouter.realIp cannot be used, peers stay what they are: %s", error)
            return False
        for entrypoint in self._entrypoints.values():
            entrypoint.real_ip = resolve
        return True

    def _has_real_ip(self) -> bool:
        """Tell whether a middleware finds clients behind trusted proxies."""
        middlewares = (self._snapshot or {}).get("middlewares") or {}
        return any(each.get("type") == "realIp" for each in middlewares.values())

    def _finished(self, request: Request, response: Response | None) -> None:
        if request.exchange.logged and self._access_log is not None:
            headers = response.headers if response is not None else Headers()
            self._access_log.log(request.peer, request.exchange, request, headers)

    def _refused(self, peer: Peer, error: ExchangeError, size: int) -> None:
        if self._access_log is not None:
            exchange = Exchange()
            exchange.status, exchange.error, exchange.response_size = error.status, str(error), size
            self._access_log.log(peer, exchange, None, Headers())

    # The end.

    def _drain(self, message: Mapping[str, Any]) -> None:
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(
                self._drain_all(message), name="drain"
            )

    async def _drain_all(self, message: Mapping[str, Any]) -> None:
        self._life_cycle.terminating = True
        async with asyncio.TaskGroup() as group:
            for name in self._entrypoints:
                life_cycle = (self._options[name].get("transport") or {}).get("lifeCycle") or {}
                accept = (message.get("acceptGrace") or {}).get(
                    name, life_cycle.get("requestAcceptGraceTimeout") or 0
                )
                grace = (message.get("grace") or {}).get(name, life_cycle.get("graceTimeOut") or 0)
                group.create_task(self._drain_one(name, accept, grace), name=f"drain {name}")
        self._builder.pools.close()
        if self._access_log is not None:
            self._access_log.close()
        self._channel.close()

    async def _drain_one(self, name: str, accept: float, grace: float) -> None:
        """Accept for ``accept`` seconds more, then wait ``grace`` for requests under way."""
        await asyncio.sleep(accept)
        entrypoint = self._entrypoints[name]
        self._listening.close(name)
        entrypoint.closing = True
        connections = self._connections[name]
        for connection in connections:
            connection.shut_down()
        try:
            async with asyncio.timeout(grace):
                await connections.emptied()
        except TimeoutError:
            log.warning(
                "Requests were still under way at the end of the grace time",
                extra=logs.fields(entryPoint=name, connections=len(connections)),
            )
            await self._part(connections)
        for connection in connections:
            connection.abort()

    async def _part(self, connections: Connections) -> None:
        """End WebSockets with a word (RFC 6455, section 7.4.1: 1001), cut everything else."""
        for connection in connections:
            if not connection.end_tunnel():
                connection.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):  # The control plane does not wait much longer.
                await connections.emptied()


def _sets(urls: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    return {service: frozenset(found) for service, found in urls.items()}


def _tunnel_grace(static: Mapping[str, Any]) -> float:
    turnover = (static.get("edgerouter") or {}).get("turnover") or {}
    return float(turnover.get("tunnelGrace", 30.0))


def _facts(snapshot: Message) -> dict[str, Any]:
    return {"version": snapshot["version"], "routers": len(snapshot.get("routers") or ())}


async def serve(descriptor: int) -> None:
    """Run a worker on the channel ``descriptor`` until it has drained."""
    channel = await Channel.open(socket.socket(fileno=descriptor))
    start = await channel.receive()
    if start is None:
        return
    logs.configure_logging(start["static"].get("log") or {}, f"worker-{start['worker']}")
    await Worker(channel, start).run()
