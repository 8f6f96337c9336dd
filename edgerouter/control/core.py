"""From the providers to the workers: one change through the control plane.

Providers publish, the aggregator paces, the rebuild makes the runtime view and
its snapshot in a thread, the publisher distributes. A rebuild that fails leaves
the last good snapshot in force.
"""

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.own import Own
from edgerouter.control.aggregator import Aggregator, Publications
from edgerouter.control.certificates.service import Certificates
from edgerouter.control.draining import Draining
from edgerouter.control.listeners import Listener
from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.control.supervisor import Supervisor
from edgerouter.control.systemd import feed_watchdog, notify
from edgerouter.control.tls.manager import Gathered, TlsManager
from edgerouter.control.view import View
from edgerouter.ipc.channel import Message
from edgerouter.ipc.patch import difference
from edgerouter.observability.logs import fields
from edgerouter.provider import Provider, installed_providers

if TYPE_CHECKING:
    from edgerouter.control.health import HealthChecks

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds the first snapshot waits for providers and kept certificates.

Clients wait meanwhile instead of seeing 404 or a certificate that is not theirs.
"""


class Core:
    """The part of the control plane that knows the dynamic configuration."""

    def __init__(
        self,
        configuration: StaticConfiguration,
        warnings: Sequence[Diagnostic],
        listeners: Sequence[Listener],
        providers: Mapping[str, Provider],
        publisher: Publisher,
        supervisor: Supervisor,
        certificates: Certificates | None = None,
    ) -> None:
        self._configuration = configuration
        self._as_traefik = configuration.edgerouter.compat == "traefik"
        strict = configuration.core.strict_tls_options
        self._certificates = certificates
        sources = certificates.sources if certificates is not None else ()
        self._tls = TlsManager(sources, strict_options=strict, as_traefik=self._as_traefik)
        self._publisher = publisher
        self._supervisor = supervisor
        throttle = configuration.providers.providers_throttle_duration
        self._aggregator = Aggregator(throttle, self._rebuild)
        self._providers = Providers(providers, self._aggregator.offer, self._fence)
        self.view = View(
            configuration, tuple(warnings), listeners, self._providers, publisher, supervisor
        )
        if certificates is not None:
            self.view.certificates = certificates.inventory
            if certificates.acme is not None:
                certificates.acme.tell_containers = self._providers.certificate_changed
            draining = Draining(self._providers, publisher)
            certificates.commands.others |= {
                "drain": draining.drain,
                "undrain": draining.undrain,
                "health": self._own_health,
            }
        self._reported: frozenset[Diagnostic] = frozenset()
        self._health: HealthChecks | None = None
        self._loading = asyncio.Lock()
        self._content: Message = {}
        self._published = asyncio.Event()

    async def _own_health(self, _: dict[str, Any]) -> dict[str, Any]:
        """Tell how many workers serve; an error when none does or the router ends."""
        serving = sum(slot.ready for slot in self._publisher.slots)
        if self._supervisor.is_stopping:
            return {"error": "the router is stopping"}
        if not serving:
            return {"error": "no worker serves yet"}
        return {"workers": serving}

    def reload(self) -> None:
        """Let providers look at their source again (SIGHUP)."""
        self._providers.reload()

    def _fence(self, urls: frozenset[str]) -> None:
        """Take the fences of all providers; lift one only when what it came with is in force."""
        self._publisher.fence(urls)
        if not self._publisher.liftable:
            return
        if self._aggregator.is_idle:
            self._lift(self._publisher.liftable)
        else:
            self._aggregator.rebuild_soon()

    def _lift(self, urls: frozenset[str]) -> None:
        """Lift fences; what health checks found there was of the container that has gone."""
        if self._health is not None and urls:
            self._health.renew(urls)
        self._publisher.lift(urls)

    async def run(self, admin: socket.socket) -> None:
        """Work until cancelled; serve the API on ``admin``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._providers.run(), name="providers")
            tasks.create_task(self._aggregate(), name="aggregator")
            tasks.create_task(feed_watchdog(), name="watchdog")
            tasks.create_task(self._tls.run(self._aggregator.rebuild_soon), name="certificates")
            if self._certificates is not None:
                directory = Path(admin.getsockname()).parent
                tasks.create_task(self._certificates.run(directory), name="certificate sources")
            await self._published.wait()
            notify("READY=1")
            # Imported in a thread and only now: slow, and not needed for the first request.
            module = await self._load("edgerouter.control.admin")
            tasks.create_task(module.serve(self.view, admin), name="admin")

    async def _aggregate(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_there(), PATIENCE)
        self._aggregator.rebuild_soon()
        await self._aggregator.run()

    async def _all_there(self) -> None:
        await self._providers.all_spoken()
        if self._certificates is not None:
            await self._certificates.loaded()

    async def _rebuild(self, publications: Publications) -> None:
        """Make everything that follows from ``publications`` and publish what changed."""
        version = self._publisher.version + 1
        liftable = self._publisher.liftable
        try:
            runtime, content = await asyncio.to_thread(
                self._build, publications, version, self._tls.gather()
            )
            self._report(runtime.diagnostics)
            self.view.runtime = runtime
            if self._health is not None:
                self._health.expect(runtime.http)
            patch = await asyncio.to_thread(difference, self._content, content)
            if patch is not None:
                # The first one is no patch of anything: workers get it whole.
                self._publisher.publish(content, patch if self._content else None)
                self._content = content
                self._published.set()
            self._lift(liftable)
            self._tls.tell()
            if self._certificates is not None:
                self._certificates.inventory.served = self._tls.shown
                self._certificates.inventory.refused = self._tls.refused
            await self._check_health(runtime)
        except Exception:
            log.exception("The configuration could not be rebuilt, the last one stays in force")
            self.view.failed_rebuilds += 1

    async def _check_health(self, runtime: RuntimeConfiguration) -> None:
        """Run the health checks that services ask for; their machinery is loaded for the first."""
        if self._health is None:
            if not any(info.has_health_check for info in runtime.http.services.values()):
                return
            module = await self._load("edgerouter.control.health")
            self._health = module.HealthChecks(
                self._publisher.set_health, as_traefik=self._as_traefik
            )
        self._health.follow(runtime.http)

    async def _load(self, name: str) -> ModuleType:
        """Import a module in a thread; one at a time, for some need the same half-loaded ones."""
        async with self._loading:
            return await asyncio.to_thread(import_module, name)

    def _build(
        self, publications: Publications, version: int, gathered: Gathered
    ) -> tuple[RuntimeConfiguration, dict[str, Any]]:
        diagnostics = [
            diagnostic
            for publication in publications.values()
            for diagnostic in publication.diagnostics
        ]
        configurations = {
            name: publication.configuration for name, publication in publications.items()
        }
        runtime = build_runtime(self._configuration, configurations, diagnostics)
        tls, found = self._tls.section(runtime, gathered)
        runtime.diagnostics += tuple(found)
        content = snapshot_of(runtime, version, as_traefik=self._as_traefik)
        return runtime, {**content, "tls": tls}

    def _report(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Log what was not there before; what stays is not repeated."""
        for diagnostic in diagnostics:
            if diagnostic not in self._reported:
                level = logging.ERROR if diagnostic.severity == "error" else logging.WARNING
                extra = fields(providerName=diagnostic.provider) if diagnostic.provider else {}
                log.log(level, str(diagnostic), extra=extra)
        self._reported = frozenset(diagnostics)


def load_certificates(configuration: StaticConfiguration, publisher: Publisher) -> Certificates:
    """Make what obtains certificates; a thread's work for the libraries that it loads."""
    return Certificates(configuration, publisher)


def _with_ours(options: BaseModel, own: Own) -> BaseModel:
    """Return a provider's options with those of ``edgerouter`` that it knows."""
    ours: dict[str, Any] = {"compat": own.compat}
    if not own.compat:
        ours |= {"hold": own.turnover.hold, "port_wait": own.turnover.port_wait}
        if "allow_empty_services" not in options.model_fields_set:
            ours["allow_empty_services"] = True
    known = type(options).model_fields
    return options.model_copy(update={name: ours[name] for name in ours if name in known})


def load_providers(
    configuration: StaticConfiguration,
) -> tuple[dict[str, Provider], list[Diagnostic]]:
    """Make the configured providers; say why one that cannot be made is left out."""
    installed = installed_providers()
    providers: dict[str, Provider] = {}
    diagnostics = []
    for name, options in configuration.providers.enabled.items():
        try:
            provider = installed[name].load()
            providers[name] = provider(name, _with_ours(options, configuration.edgerouter))
        except Exception as error:
            # A wrong option is a ValueError; everything else is a mistake in the provider.
            trace = None if isinstance(error, ValueError) else error
            message = f"the provider cannot be used: {str(error) or type(error).__name__}"
            diagnostic = Diagnostic("error", message, name, key=f"providers.{name}")
            log.error(str(diagnostic), extra=fields(providerName=name), exc_info=trace)
            diagnostics.append(diagnostic)
    return providers, diagnostics
