"""Everything that makes certificates, in one piece for the rest of the control plane.

ACME and its libraries are loaded only when there is a resolver for it.
"""

import asyncio
import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates.commands import SOCKET, Commands
from edgerouter.control.certificates.internal import InternalSource
from edgerouter.control.certificates.inventory import Inventory
from edgerouter.control.publisher import Publisher
from edgerouter.control.tls.source import CertificateSource

if TYPE_CHECKING:
    from edgerouter.control.certificates.acme import AcmeSource

log = logging.getLogger(__name__)


class RunningSource(CertificateSource, Protocol):
    """A source that works in a task."""

    async def run(self) -> None: ...


class Certificates:
    """The sources and what is told of them.

    Making it reads what is kept on the disk, so that certificates are in the first snapshot.
    """

    def __init__(self, configuration: StaticConfiguration, publisher: Publisher) -> None:
        self.sources: list[RunningSource] = []
        self.acme: AcmeSource | None = None
        if any(each.acme for each in configuration.certificates_resolvers.values()):
            module = import_module("edgerouter.control.certificates.acme")
            self.acme = module.AcmeSource(configuration, publisher)
            self.acme.open()
            self.sources.append(self.acme)
        self.sources.append(InternalSource(configuration))
        manager = self.acme.manager if self.acme is not None else None
        self.inventory = Inventory(manager, self.acme.broken if self.acme is not None else {})
        self._commands = Commands(self.inventory, manager)

    async def run(self, directory: Path) -> None:
        """Work until cancelled; orders are taken on a socket in ``directory``."""
        async with asyncio.TaskGroup() as tasks:
            for source in self.sources:
                tasks.create_task(source.run())
            tasks.create_task(self._commands.serve(directory / SOCKET))
