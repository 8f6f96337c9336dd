"""The control plane process: wires its parts, obeys signals, ends in order.

Everything here is about start and end. Workers are started before the rest of
the control plane is imported, so that they load at the same time.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import TYPE_CHECKING

import uvloop

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.address import EntryPointAddress
from edgerouter.control.directory import (
    ADMIN_SOCKET,
    StartError,
    admin_socket,
    runtime_directory,
)
from edgerouter.control.listeners import (
    Listener,
    ListenError,
    adopt,
    inherited,
    listen,
)
from edgerouter.control.publisher import Publisher
from edgerouter.control.signals import early_order
from edgerouter.control.supervisor import Reaper, Supervisor, cpu_count
from edgerouter.control.systemd import notify
from edgerouter.observability.logs import configure_logging, fields, reopen

if TYPE_CHECKING:
    from edgerouter.control.core import Core

log = logging.getLogger(__name__)

MOST_FILES = 2**20
"""Open files we ask for; the kernel allows a process no more by default."""

OVERTIME = 2.0
"""Seconds a worker has beyond its grace before it is killed."""


def run(configuration: StaticConfiguration, warnings: Sequence[Diagnostic] = ()) -> int:
    """Run edgerouter until it is told to stop; return the exit status."""
    configure_logging(configuration.log.model_dump(mode="json"), "")
    for warning in warnings:
        log.warning(str(warning))
    workers = configuration.edgerouter.workers or cpu_count()
    raise_file_limit()
    with ExitStack() as opened:
        try:
            listeners = open_listeners(configuration, workers)
            for listener in listeners:
                opened.callback(listener.close)
            wanted = configuration.edgerouter.runtime_dir
            directory = opened.enter_context(runtime_directory(wanted))
            admin = opened.enter_context(admin_socket(directory / ADMIN_SOCKET))
        except (ListenError, StartError) as error:
            log.critical(str(error))
            if configuration.log.file_path:
                sys.stderr.write(f"edgerouter: {error}\n")
            return 1
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Plane(configuration, warnings, workers, listeners, admin).run())


def raise_file_limit() -> None:
    """Allow us and our workers as many open files as we may have, within reason, as Go does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # Forbidden after all: what there is has to do.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_listeners(configuration: StaticConfiguration, workers: int) -> list[Listener]:
    """Open the sockets of every TCP entry point, or take them over from systemd.

    Raises:
        ListenError: One of them cannot be opened; none stays open.
    """
    handed = inherited(os.environ)
    listeners: list[Listener] = []
    for name, entry_point in configuration.entry_points.items():
        try:
            address = EntryPointAddress.parse(entry_point.address)
        except ValueError as error:
            raise ListenError(f'entry point "{name}" has a wrong address: {error}') from error
        if address.protocol == "udp":
            log.warning(
                "UDP is not served yet, nothing listens for this entry point",
                extra=fields(entryPointName=name, address=entry_point.address),
            )
        elif name in handed:
            listeners.append(adopt(name, handed.pop(name)))
        else:
            listeners.append(
                listen(name, address, workers=workers, reuse_port=entry_point.reuse_port)
            )
    for name, unused in handed.items():
        log.warning(
            "systemd hands over a socket, but no entry point has its name: it is closed",
            extra=fields(socket=name, entryPoints=list(configuration.entry_points)),
        )
        unused.close()
    return listeners


class Plane:
    """The running control plane."""

    def __init__(
        self,
        configuration: StaticConfiguration,
        warnings: Sequence[Diagnostic],
        workers: int,
        listeners: list[Listener],
        admin: socket.socket,
    ) -> None:
        self._configuration = configuration
        self._warnings = warnings
        self._listeners = listeners
        self._admin = admin
        self._publisher = Publisher()
        self._supervisor = Supervisor(
            workers,
            listeners,
            self._publisher,
            {"static": configuration.model_dump(mode="json"), "admin": admin.getsockname()},
        )
        self._core: Core | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Start everything, wait for the order to stop, stop everything; return the status."""
        self._obey_signals()
        if name := early_order():
            log.info("Ordered to stop during the start", extra=fields(signal=name))
            return 0
        self._supervisor.start()
        workers = asyncio.create_task(self._supervisor.run(), name="supervisor")
        self._report_addresses()
        core = self._core = await self._load_core()
        running = asyncio.create_task(core.run(self._admin), name="core")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait((workers, running, stop), return_when=asyncio.FIRST_COMPLETED)
        broken = [task for task in (workers, running) if task.done()]
        for task in broken:
            log.critical("The control plane broke down and stops", exc_info=task.exception())
        notify("STOPPING=1")
        await self._stop_workers(workers)
        running.cancel()
        stop.cancel()
        await asyncio.gather(running, stop, return_exceptions=True)
        return 1 if broken else 0

    async def _load_core(self) -> "Core":
        """Import the rest in a thread: it takes long, and the workers are loading meanwhile."""
        module = await asyncio.to_thread(import_module, "edgerouter.control.core")
        providers, refused = await asyncio.to_thread(module.load_providers, self._configuration)
        certificates = await asyncio.to_thread(
            module.load_certificates, self._configuration, self._publisher
        )
        core: Core = module.Core(
            self._configuration,
            [*self._warnings, *refused],
            self._listeners,
            providers,
            self._publisher,
            self._supervisor,
            certificates,
        )
        return core

    def _report_addresses(self) -> None:
        for listener in self._listeners:
            log.info(
                "Entry point listens",
                extra=fields(entryPointName=listener.name, address=listener.address),
            )

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ordered_to_stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)
        if os.getpid() == 1:
            Reaper(self._supervisor.workers).watch()

    def _ordered_to_stop(self, name: str) -> None:
        if self._stop.is_set() and name == signal.SIGTERM.name:
            return  # It may well be the same order, sent to the process and to its group.
        if self._stop.is_set():
            log.warning("Second order to stop, ending at once", extra=fields(signal=name))
            self._supervisor.kill()
            return
        log.info("Ordered to stop, finishing what is under way", extra=fields(signal=name))
        self._stop.set()

    def _reload(self) -> None:
        if self._core is not None:
            self._core.reload()

    def _reopen_logs(self) -> None:
        reopen()
        self._publisher.order({"type": "reopen"})

    async def _stop_workers(self, workers: "asyncio.Task[None]") -> None:
        """Drain the workers; what is not done when the time is over is cut."""
        cycles = {
            name: entry_point.transport.life_cycle
            for name, entry_point in self._configuration.entry_points.items()
        }
        accept = {name: cycle.request_accept_grace_timeout for name, cycle in cycles.items()}
        grace = {name: cycle.grace_time_out for name, cycle in cycles.items()}
        self._supervisor.drain({"type": "drain", "acceptGrace": accept, "grace": grace})
        loop = asyncio.get_running_loop()
        closings = [
            loop.call_later(seconds, self._supervisor.close_listener, name)
            for name, seconds in accept.items()
        ]
        longest = max((accept[name] + grace[name] for name in cycles), default=0.0)
        await asyncio.wait((workers,), timeout=longest + OVERTIME)
        if not workers.done():
            log.warning("Requests took longer than the grace time and are cut")
            self._supervisor.kill()
            await asyncio.wait((workers,))
        for closing in closings:
            closing.cancel()
