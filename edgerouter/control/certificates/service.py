"""Everything that makes certificates, in one piece for the rest of the control plane.

ACME and its libraries are loaded only when there is a resolver for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.certificates import OnDemand as OnDemandOptions
from edgerouter.control.certificates.commands import Commands
from edgerouter.control.certificates.internal import InternalSource
from edgerouter.control.certificates.inventory import Inventory
from edgerouter.control.directory import CONTROL_SOCKET
from edgerouter.control.publisher import Publisher
from edgerouter.control.tls.source import CertificateSource

if TYPE_CHECKING:
    from edgerouter.acme.on_demand import OnDemand
    from edgerouter.control.certificates.acme import AcmeSource


class RunningSource(CertificateSource, Protocol):
    """A source that works in a task."""

    async def run(self) -> None: ...


class Certificates:
    """The sources and what is told of them."""

    def __init__(self, configuration: StaticConfiguration, publisher: Publisher) -> None:
        self.sources: list[RunningSource] = []
        self.acme: AcmeSource | None = None
        if any(each.acme for each in configuration.certificates_resolvers.values()):
            module = import_module("edgerouter.control.certificates.acme")
            self.acme = module.AcmeSource(configuration, publisher)
            self.sources.append(self.acme)
        self._internal = InternalSource(configuration, publisher=publisher)
        self.sources.append(self._internal)
        manager = self.acme.manager if self.acme is not None else None
        broken = self.acme.broken if self.acme is not None else {}
        as_traefik = configuration.edgerouter.compat == "traefik"
        self.inventory = Inventory(manager, broken, self._internal.renewals, as_traefik=as_traefik)
        if self.acme is not None:
            self.inventory.problems = self.acme.problems
        self.commands = Commands(self.inventory, manager)
        self.commands.others["root"] = self._internal.root
        self._note_use: Callable[[str], None] = lambda _name: None
        self._on_demand = self._make_on_demand(configuration.edgerouter.on_demand)
        publisher.certificate_wanted = self.on_demand
        publisher.certificate_used = self.used_on_demand

    def _make_on_demand(self, options: OnDemandOptions) -> "OnDemand | None":
        if not options.resolver:
            return None
        obtain: Callable[[str], Awaitable[str]]
        if options.resolver in self._internal.resolvers:
            obtain, self._note_use = self._internal.obtain, self._internal.used
        elif self.acme is not None and options.resolver in self.acme.resolvers:
            self.acme.on_demand = options.resolver
            obtain = self.acme.obtain
            self._note_use = self.acme.manager.used
        else:
            return None  # It is not there, or broken, which has been said.
        module = import_module("edgerouter.acme.on_demand")
        made: OnDemand = module.OnDemand(options, obtain)
        return made

    async def loaded(self) -> None:
        """Return when certificates that are kept on the disk are there to be served."""
        if self.acme is not None:
            await self.acme.opened.wait()

    async def on_demand(self, name: str) -> str:
        """Get a certificate for a client's server name; return why there is none.

        Workers have it when this returns an empty text.
        """
        if self._on_demand is None:
            return "there are no certificates on demand"
        return await self._on_demand.request(name)

    async def used_on_demand(self, name: str) -> None:
        """Learn that clients use a certificate; one on demand that may be is renewed."""
        if self._on_demand is not None and await self._on_demand.used(name):
            self._note_use(name)

    async def run(self, directory: Path) -> None:
        """Work until cancelled; orders are taken on a socket in ``directory``."""
        async with asyncio.TaskGroup() as tasks:
            for source in self.sources:
                tasks.create_task(source.run())
            tasks.create_task(self.commands.serve(directory / CONTROL_SOCKET))
