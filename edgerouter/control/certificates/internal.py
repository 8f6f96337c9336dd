"""The internal CA as a source: names without a resolver, local ones, resolvers ``internal``."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from edgerouter.acme.internal_ca import InternalCA, Leaf
from edgerouter.acme.plan import UNUSED
from edgerouter.acme.threads import in_daemon_thread
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates.publication import Publication
from edgerouter.control.publisher import Publisher
from edgerouter.control.tls.source import Certificate, Challenges, Demand
from edgerouter.tls.names import is_local

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two looks at the age of certificates."""

MAX_ON_DEMAND = 1000
"""Names that clients have asked for; then the one that was not used for longest is forgotten."""

DEFAULT_NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")
"""Of the certificate for clients that ask for a name nobody has."""


def internal_ca(configuration: StaticConfiguration) -> InternalCA:
    """Return the internal CA that the options describe."""
    options = configuration.edgerouter.internal_ca
    return InternalCA(Path(options.storage), timedelta(seconds=options.leaf_lifetime))


class InternalSource:
    """Issues certificates as soon as they are wanted, and again at half of their lifetime."""

    def __init__(
        self,
        configuration: StaticConfiguration,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        publisher: Publisher | None = None,
    ) -> None:
        own = configuration.edgerouter
        self._ca = internal_ca(configuration)
        self._storage = Path(own.internal_ca.storage).resolve()
        self._clock = clock
        self._publication = Publication(publisher or Publisher())
        self._on_demand: dict[tuple[str, ...], datetime] = {}
        """When names that clients asked for were last used."""
        self.resolvers = {
            name
            for name, each in own.certificates_resolvers.items()
            if each.internal is not None and name not in configuration.certificates_resolvers
        }
        self._for_all = own.internal_ca.enabled and own.compat != "traefik"
        self._wanted: set[tuple[str, ...]] = set()
        self._leaves: dict[tuple[str, ...], Leaf] = {}
        self._callback: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()

    def certificates(self) -> Sequence[Certificate]:
        leaves = [self._leaves[names] for names in sorted(self._leaves) if names != DEFAULT_NAMES]
        return [_served(leaf) for leaf in leaves]

    def renewals(self) -> dict[str, datetime]:
        """Return when each certificate is renewed, by its chain."""
        return {leaf.chain: leaf.renewal for leaf in self._leaves.values()}

    def default(self) -> Certificate | None:
        leaf = self._leaves.get(DEFAULT_NAMES)
        return None if leaf is None else _served(leaf)

    def challenges(self) -> Challenges:
        self._publication.gathered()
        return Challenges()

    def refusal(self, demand: Demand) -> str:
        del demand
        return ""

    def demand(self, demands: Sequence[Demand]) -> None:
        self._publication.published()
        wanted = {(each.main, *each.sans) for each in demands if each.main and self._is_mine(each)}
        if demands and self._for_all:
            wanted.add(DEFAULT_NAMES)
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    async def root(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``edgerouter ca root``: the root that clients of this router have to trust."""
        if not self._for_all and not self.resolvers:
            return {"error": "the internal CA is off, and no certificate resolver is internal"}
        root = await in_daemon_thread(self._ca.root, "internal-ca")
        return {"root": root, "storage": str(self._storage)}

    def _is_mine(self, demand: Demand) -> bool:
        if demand.resolver in self.resolvers:
            return True
        local = all(map(is_local, demand.names))
        return self._for_all and (not demand.resolver or local)

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    async def obtain(self, name: str) -> str:
        """Certify a name from now on, for as long as it is used; workers have it then."""
        if (name,) not in self._on_demand and len(self._on_demand) >= MAX_ON_DEMAND:
            del self._on_demand[min(self._on_demand, key=lambda names: self._on_demand[names])]
        self._on_demand[name,] = self._clock()
        await self.look()
        await self._publication.wait(self._callback)
        return ""

    def used(self, name: str) -> None:
        """Take note that clients still ask for a name that they were given on demand."""
        if (name,) in self._on_demand:
            self._on_demand[name,] = self._clock()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._wake.wait()

    async def look(self) -> None:
        """Issue what is missing or half over, forget what nobody wants."""
        now = self._clock()
        for names, used in list(self._on_demand.items()):
            if used + UNUSED <= now:
                del self._on_demand[names]
        wanted = self._wanted | self._on_demand.keys()
        due = [
            names
            for names in sorted(wanted)
            if names not in self._leaves or self._leaves[names].renewal <= now
        ]
        gone = self._leaves.keys() - wanted
        for names in gone:
            del self._leaves[names]
        for names in due:
            issue = partial(self._ca.issue, names, now)
            try:
                self._leaves[names] = await in_daemon_thread(issue, "internal-ca")
            except ValueError:
                log.exception("The internal CA cannot certify these names")
        if due or gone:
            self._callback()


def _served(leaf: Leaf) -> Certificate:
    return Certificate(leaf.names, leaf.chain, leaf.key, "internal CA")
