"""One life of a connection to the engine: subscribe, list, then follow.

Events come from a thread; they fence at once and mark containers. Marked
containers are inspected in another thread, one batch at a time, and each batch
is published: the first change at once, what happens meanwhile in the next batch.
"""

import asyncio
import contextlib
import logging
import math
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.provider import ProviderContext
from edgerouter_docker.assemble import Assembler
from edgerouter_docker.calls import CallThread, finish
from edgerouter_docker.draining import Draining, find
from edgerouter_docker.engine import CALL_TIMEOUT, Engine, EngineUnavailable, UnreadableContainer
from edgerouter_docker.events import Event, EventFollower
from edgerouter_docker.fence import Fences, is_ending
from edgerouter_docker.inventory import SILENT, Container, says_the_same
from edgerouter_docker.lingering import Lingering
from edgerouter_docker.ports import Ports
from edgerouter_docker.servers import Endpoint
from edgerouter_docker.translate import Settings
from edgerouter_docker.unheeding import Unheeding

log = logging.getLogger(__name__)

RECONCILE_INTERVAL = 30.0
"""Seconds between two cheap lists that find what events did not say (Podman has no network
events)."""
_GONE = {"die", "stop", "destroy", "pause"}


@dataclass(slots=True)
class State:
    """What outlives a connection."""

    assembler: Assembler
    containers: dict[str, Container] = field(default_factory=dict)
    fences: Fences = field(default_factory=Fences)
    fenced: frozenset[str] = frozenset()
    has_published: bool = False
    draining: Draining = field(default_factory=Draining)
    lingering: Lingering = field(default_factory=lambda: Lingering(0))


class Session:
    """Follows one engine until the connection is lost."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        context: ProviderContext,
        calls: CallThread,
    ) -> None:
        self._settings = settings
        self._state = state
        self._context = context
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self.has_published = False
        # Between the events and the next batch.
        self._wake = asyncio.Event()
        self._marked: set[str] = set()
        self._early: list[Event] | None = []
        self._lost = ""
        self._next_reconcile = 0.0
        # What was said last.
        self._published: tuple[DynamicConfiguration, tuple[Diagnostic, ...]] | None = None
        self._unreadable: dict[str, str] = {}
        self._ports = Ports(settings.options.port_wait, self._on_port)
        self._unheeding = Unheeding(self._on_unheeding)
        self._news = False
        """Whether there is something to publish that is no change of a container."""

    async def run(self, engine: Engine) -> None:
        """Follow until the connection is lost or the task cancelled; without ``watch``, look once.

        Raises:
            EngineUnavailable: The connection could not be made or was lost.
        """
        try:
            await self._calls.call(engine.connect)
            log.info("Connected to %s %s (API %s).", *_described(engine))
            if self._settings.options.watch:
                await self._watch(engine)
            else:
                await self._look_at_all(engine)
        finally:
            await self._ports.close()
            await self._unheeding.close()
            await finish(asyncio.to_thread(engine.close))

    async def _watch(self, engine: Engine) -> None:
        opened = asyncio.Event()
        follower = EventFollower(
            engine,
            await self._calls.call(engine.clock),
            opened=lambda: self._post(opened.set),
            deliver=lambda event: self._post(self._on_event, event),
            ended=lambda reason: self._post(self._on_end, reason, opened),
        )
        follower.start()
        try:
            try:
                async with asyncio.timeout(CALL_TIMEOUT):
                    await opened.wait()
            except TimeoutError as error:
                raise EngineUnavailable(f"{engine.endpoint}: no stream of events") from error
            await self._look_at_all(engine)
            while True:
                await self._follow(engine)
        finally:
            await finish(asyncio.to_thread(follower.close))

    # Events; these run in the loop, called by the thread that reads them.

    def _on_event(self, event: Event) -> None:
        if self._early is not None:
            self._early.append(event)  # What it is about is not known yet.
            return
        container = self._state.containers.get(event.container_id)
        urls = self._state.assembler.urls_of(event.container_id)
        now = self._loop.time()
        if event.action == "kill":
            if (
                container is not None
                and container.is_running
                and is_ending(container, event.signal)
            ):
                self._state.fences.killed(container, urls, now)
                self._send_fences()
                if event.signal == signal.SIGKILL:
                    self._unheeding.forget(container.id)
                else:
                    self._unheeding.told(container, urls)
                self._wake.set()  # There is a new deadline.
            return
        if container is not None and event.action in _GONE:
            self._unheeding.forget(container.id)
            self._state.fences.gone(container, urls, now)
            self._send_fences()
        elif container is not None and event.action == "disconnect":
            self._state.fences.cut_off(container, event.network_id, urls, now)
            self._send_fences()
        self._marked.add(event.container_id)
        self._wake.set()

    def _on_end(self, reason: str, opened: asyncio.Event) -> None:
        self._lost = reason
        opened.set()
        self._wake.set()

    # Looking

    async def _follow(self, engine: Engine) -> None:
        """Wait for something to happen, then look at what it concerns."""
        now = self._loop.time()
        state = self._state
        deadline = min(
            state.fences.next_deadline or math.inf,
            state.lingering.next_deadline or math.inf,
            self._next_reconcile,
        )
        await _wait(self._wake, deadline - now)
        self._wake.clear()
        if self._lost:
            raise EngineUnavailable(f"{engine.endpoint}: {self._lost}")
        marked, self._marked = self._marked, set()
        if self._loop.time() >= self._next_reconcile:
            marked |= await self._changed(engine)
            self._next_reconcile = self._loop.time() + RECONCILE_INTERVAL
        changed = await self._inspect(engine, marked)
        changed |= state.lingering.expire(self._loop.time())
        await self._look_at_ports()
        if changed or self._news:
            self._news = False
            self._publish()
        self._state.fences.expire(self._loop.time())
        self._send_fences()

    async def _look_at_all(self, engine: Engine) -> None:
        listed = {row.id for row in await self._calls.call(engine.list)}
        known = {i: c.started_at for i, c in self._state.containers.items()}
        await self._inspect(engine, listed | set(known))
        self._ports.trust(
            container
            for i, container in self._state.containers.items()
            if not self._state.has_published or known.get(i) == container.started_at
        )
        await self._look_at_ports()
        self._publish()
        self._send_fences()
        self._next_reconcile = self._loop.time() + RECONCILE_INTERVAL
        early, self._early = self._early or [], None
        for event in early:
            self._on_event(event)

    async def _changed(self, engine: Engine) -> set[str]:
        """Return the containers whose row in the list differs from what is remembered."""
        rows = {row.id: row for row in await self._calls.call(engine.list)}
        known = self._state.containers
        changed = {
            i for i, row in rows.items() if i not in known or not says_the_same(row, known[i])
        }
        return changed | (set(known) - set(rows))

    async def _inspect(self, engine: Engine, ids: Iterable[str]) -> bool:
        """Refresh what is remembered of the containers; return whether anything differs."""
        changed = False
        for container_id in sorted(ids):
            try:
                container = await self._calls.call(engine.inspect, container_id)
            except UnreadableContainer as error:
                changed |= self._unreadable.get(container_id) != str(error)
                self._unreadable[container_id] = str(error)
                continue
            changed |= self._unreadable.pop(container_id, None) is not None
            changed |= self._remember(container_id, container)
        return changed

    def _remember(self, container_id: str, container: Container | None) -> bool:
        known = self._state.containers.get(container_id)
        self._state.draining.note(container_id, container)
        self._state.lingering.note(known, container, self._loop.time())
        if container is None:
            return self._state.containers.pop(container_id, None) is not None
        self._state.containers[container_id] = container
        self._state.fences.seen(container)
        return known != container

    # Ports

    async def _look_at_ports(self) -> None:
        """Have a look at the ports of containers that have just started."""
        containers = self._state.containers
        self._ports.keep_only(containers.values())
        assembler, answering = self._state.assembler, self._answering()
        assembler.look_around(containers)
        for container in containers.values():
            if self._ports.wants(container):
                preview = assembler.preview(container, answering)
                self._ports.look_at(container, preview.urls, preview.questions)
        await self._ports.first_answers()

    def _on_port(self) -> None:
        self._news = True
        self._wake.set()

    # Containers that were told to end

    def _on_unheeding(self, container_id: str) -> None:
        self._state.fences.let_in(container_id)
        self._news = True
        self._wake.set()

    # Orders

    def drain(self, name: str, *, is_drained: bool) -> tuple[str, frozenset[str]]:
        """Drain a container, or end that; return its name and its servers.

        Raises:
            LookupError: There is no such container, several, or it serves nothing.
        """
        container = find(name, self._state.containers.values())
        urls = self._state.assembler.urls_of(container.id)
        if not urls:
            raise LookupError(f"the container {container.name} serves no router")
        self._state.draining.set(container, is_drained=is_drained)
        self._send_fences()
        verb = "drained" if is_drained else "undrained"
        log.info("The container %s is %s.", container.name, verb)
        return container.name, urls

    # Saying

    def _publish(self) -> None:
        """Publish what has changed; the first time whatever there is."""
        assembled = self._state.assembler.assemble(
            self._shown(), self._state.lingering.containers.values(), self._answering()
        )
        diagnostics = (
            *assembled.diagnostics,
            *self._unreadable_diagnostics(),
            *self._silent_diagnostics(),
            *self._sought_diagnostics(),
        )
        newest = (assembled.configuration, diagnostics)
        if newest != self._published:
            self._published = newest
            self._context.publish(*newest)
        self.has_published = self._state.has_published = True

    def _shown(self) -> dict[str, Container]:
        """Return the containers, those whose port is awaited as starting or not at all."""
        return {
            i: replace(container, health=SILENT)
            if self._ports.is_waiting(container)
            else replace(container, is_unheeding=True)
            if self._unheeding.includes(container)
            else container
            for i, container in self._state.containers.items()
            if not self._ports.is_unseen(container)
        }

    def _answering(self) -> dict[str, frozenset[Endpoint]]:
        """Return which ports and addresses have turned out to answer, by container."""
        return {
            i: answering
            for i, container in self._state.containers.items()
            if (answering := self._ports.answering(container))
        }

    def _sought_diagnostics(self) -> list[Diagnostic]:
        return [
            Diagnostic(
                "warning",
                f"it is not clear where requests go to, and nothing answers yet on {where};"
                " set the label loadbalancer.server.port, or traefik.docker.network",
                self._settings.provider,
                str(container),
            )
            for container in self._state.containers.values()
            if (where := self._ports.sought(container))
        ]

    def _silent_diagnostics(self) -> list[Diagnostic]:
        limit = self._settings.options.port_wait
        return [
            Diagnostic(
                "warning",
                f"nothing listens on {where}; it gets requests all the same after {limit:g} s;"
                " see the label loadbalancer.server.port, or give the container a health check",
                self._settings.provider,
                str(container),
            )
            for container in self._state.containers.values()
            if (where := self._ports.silence(container))
        ]

    def _unreadable_diagnostics(self) -> list[Diagnostic]:
        provider = self._settings.provider
        found = []
        for container_id, reason in sorted(self._unreadable.items()):
            known = self._state.containers.get(container_id)
            source = str(known) if known is not None else f"container {container_id[:12]}"
            kept = "its last known state is used" if known is not None else "it is left out"
            message = f"the container cannot be inspected, {kept}: {reason}"
            found.append(Diagnostic("error", message, provider, source))
        return found

    def _send_fences(self) -> None:
        servers = self._state.assembler.servers
        fenced = self._state.fences.urls(servers) | self._state.draining.urls(servers)
        if fenced != self._state.fenced:
            self._state.fenced = fenced
            self._context.fence(fenced)

    # Threads

    def _post(self, function: Callable[..., object], *args: object) -> None:
        """Call ``function`` in the loop from a thread."""
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(function, *args)


def _described(engine: Engine) -> tuple[str, str, str]:
    kind = "Podman" if engine.is_podman else "Docker"
    return f"{kind} at {engine.endpoint}", engine.version, engine.api_version


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
    except TimeoutError:
        return False
    return True
