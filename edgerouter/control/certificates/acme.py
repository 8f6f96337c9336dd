"""ACME resolvers as a source of certificates: made from the static options, run, and shown."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module

from edgerouter.acme.board import Board
from edgerouter.acme.challenges import DNS_01, Solver, WorkerSolver
from edgerouter.acme.dns_environment import read_environment
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.export import by_directory, export, note_told
from edgerouter.acme.importer import import_once
from edgerouter.acme.manager import Manager
from edgerouter.acme.place import container_mounts
from edgerouter.acme.plan import Wish, widened
from edgerouter.acme.preflight import make_preflight
from edgerouter.acme.resolver import Options, Resolver, make_solver
from edgerouter.acme.storage import Stored
from edgerouter.acme.threads import in_daemon_thread
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.acme import ACME
from edgerouter.control.certificates.options import usable
from edgerouter.control.certificates.places import Places
from edgerouter.control.certificates.publication import Publication
from edgerouter.control.certificates.sharing import Sharing
from edgerouter.control.publisher import Publisher
from edgerouter.control.tls.source import Certificate, Challenges, Demand, KeyPair
from edgerouter.observability.logs import fields
from edgerouter.provider import ProviderUnavailable
from edgerouter.tls.names import ascii_name, is_local

log = logging.getLogger(__name__)

TELL_AGAIN = 10.0
"""Seconds until containers are told that could not be reached."""

AUTO = "auto"
"""In the place of domains: all that somebody can own."""

REOPEN = 30.0
"""Seconds until a storage that cannot be used is tried again."""


class AcmeSource:
    """The certificates of all ACME resolvers.

    Making it reads nothing of the storage, which may be slow; ``run`` does.
    """

    def __init__(
        self,
        configuration: StaticConfiguration,
        publisher: Publisher,
        environ: Mapping[str, str] = os.environ,
        places: Places | None = None,
    ) -> None:
        self._configuration = configuration
        self._publication = Publication(publisher)
        self._environ = environ
        self._callback: Callable[[], None] = lambda: None
        self.tell_containers: Callable[[Sequence[str]], Awaitable[None]] = _nobody
        """Told the names of a certificate whose copy has changed.

        Raises:
            ProviderUnavailable: It is to be told again.
        """
        self._to_copy = asyncio.Event()
        self._untold = ""
        """Why containers cannot be told now."""
        self.manager = Manager(
            self._publish, self._changed, preflight=make_preflight(configuration)
        )
        self._boards: list[Board] = []
        self._files: dict[str, str] = {}
        """``acme.storage`` by resolver."""
        self.places = places or Places(configuration, container_mounts())
        self.places.open()
        self._domain_above: Callable[[str], str] = lambda _: ""
        self.broken: dict[str, str] = {}
        """Resolvers that cannot be used, with the reason."""
        self.resolvers: dict[str, Resolver] = {}
        """Those whose options are right; ``manager`` has them when their storage is open."""
        self.on_demand = ""
        """The resolver of certificates on demand."""
        self.opened = asyncio.Event()
        """Set when each storage has been opened, or cannot be."""
        self._make_resolvers()

    def _make_resolvers(self) -> None:
        for name, resolver in self._configuration.certificates_resolvers.items():
            if resolver.acme is None:
                continue
            try:
                self.resolvers[name] = self._make(name, resolver.acme)
            except (ValueError, OSError, CertificateError) as error:
                self._is_broken(name, str(error))

    def _is_broken(self, name: str, reason: str) -> None:
        if self.broken.get(name) != reason:
            self.broken[name] = reason
            log.error(
                "The certificate resolver cannot be used",
                extra=fields(resolver=name, reason=reason),
            )
            self._callback()  # Its routers say so.

    def _make(self, name: str, acme: ACME) -> Resolver:
        own = self._configuration.edgerouter.certificates_resolvers.get(name)
        as_traefik = self._configuration.edgerouter.compat == "traefik"
        staging = own.staging_server if own is not None else None
        options = Options(staging=staging, as_traefik=as_traefik)
        self._files[name] = acme.storage
        acme = acme.model_copy(update={"storage": self.places.directory(acme.storage)})
        solver = self._solver(name, acme)
        if own is not None and own.wildcards and solver.kind != DNS_01:
            raise ValueError(
                f"edgerouter.certificatesResolvers.{name}.wildcards needs dnsChallenge in"
                f" certificatesResolvers.{name}.acme; {solver.kind} proves no wildcards"
            )
        if own is not None and AUTO in own.wildcards:
            self._domain_above = import_module("edgerouter.acme.suffixes").domain_above
        acme = usable(name, acme, self._configuration)
        resolver = Resolver(name, acme, solver, self._environ, options)
        if isinstance(solver, WorkerSolver) and solver.board is not None:
            self._boards.append(solver.board)
        return resolver

    def _solver(self, name: str, acme: ACME) -> Solver:
        own = self._configuration.edgerouter.certificates_resolvers.get(name)
        accounts = own.dns_accounts if own is not None else {}
        path = f"edgerouter.certificatesResolvers.{name}.dnsAccounts"
        others = [
            (
                f"{path}.{account}",
                each.provider,
                tuple(each.zones),
                read_environment(f"{path}.{account}.envFile", each.env_file, self._environ),
            )
            for account, each in accounts.items()
        ]
        return make_solver(name, acme, self.manager.answers, self._environ, others)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.manager.run())
            tasks.create_task(self._copy())
            tasks.create_task(self.places.run())
            tasks.create_task(self._open_all())
            if self._boards:
                sharing = Sharing(self._boards, self.manager.answers, self._publish)
                tasks.create_task(sharing.run())

    async def _open_all(self) -> None:
        """Open the storages, each as soon as that is possible."""
        closed = list(self.resolvers.values())
        while True:
            opened = await asyncio.gather(*map(self._open, closed))
            closed = [each for each, is_open in zip(closed, opened, strict=True) if not is_open]
            self.opened.set()
            if not closed:
                return
            await asyncio.sleep(REOPEN)

    async def _open(self, resolver: Resolver) -> bool:
        try:
            stored = await in_daemon_thread(partial(self._read, resolver), "acme-storage")
        except (OSError, CertificateError) as error:
            self._is_broken(resolver.name, str(error))
            return False
        self.broken.pop(resolver.name, None)
        self.manager.add(resolver, stored)
        if resolver.name == self.on_demand:
            self.manager.adopt_on_demand(resolver.name)
        self._to_copy.set()
        self._callback()
        return True

    def _read(self, resolver: Resolver) -> list[Stored]:
        """Open the storage of a resolver and return its certificates. Blocking."""
        file = self._files[resolver.name]
        self.places.restore(file)
        resolver.storage.open()
        import_once(file, resolver, again=self.places.is_single_file(file))
        return resolver.storage.load_changed()

    async def _copy(self) -> None:
        """Give the certificates that are wanted to other programs too."""
        options = self._configuration.edgerouter.certificates_export
        copied: dict[str, Stored] = {}
        while options.directory:
            await self._to_copy.wait()
            self._to_copy.clear()
            for name, stored in by_directory(self.manager.wanted()).items():
                if copied.get(name) == stored:
                    continue
                to_tell = await in_daemon_thread(partial(export, options, stored), "export")
                if to_tell and not await self._tell(stored):
                    asyncio.get_running_loop().call_later(TELL_AGAIN, self._to_copy.set)
                    continue
                copied[name] = stored

    async def _tell(self, stored: Stored) -> bool:
        """Tell the containers that use a copy; tell whether that was possible."""
        try:
            await self.tell_containers(stored.names)
        except ProviderUnavailable as error:
            reason = str(error)
            if reason != self._untold:
                self._untold = reason
                log.warning(
                    "Containers are told of a new certificate as soon as that is possible",
                    extra=fields(domains=",".join(stored.names), reason=reason),
                )
            return False
        self._untold = ""
        with suppress(OSError):  # They are told once more after a restart.
            options = self._configuration.edgerouter.certificates_export
            await in_daemon_thread(partial(note_told, options, stored), "export")
        return True

    def certificates(self) -> Sequence[Certificate]:
        return [
            Certificate(each.facts.names, each.chain, each.key, f"resolver {each.resolver}")
            for each in self.manager.certificates()
        ]

    def default(self) -> Certificate | None:
        return None

    def challenges(self) -> Challenges:
        self._publication.gathered()
        answers = self.manager.answers
        return Challenges(
            answers.http01, {host: KeyPair(*pair) for host, pair in answers.acme_tls.items()}
        )

    def problems(self) -> list[Diagnostic]:
        """Return what is wrong with resolvers and their storages now."""
        broken = [
            Diagnostic("error", reason, key=f"certificatesResolvers.{name}")
            for name, reason in sorted(self.broken.items())
        ]
        return [*broken, *self.places.problems()]

    def refusal(self, demand: Demand) -> str:
        if all(map(is_local, demand.names)):
            return ""
        if reason := self.broken.get(demand.resolver):
            return f'the certificate resolver "{demand.resolver}" cannot be used: {reason}'
        resolver = self.resolvers.get(demand.resolver)
        wildcard = next((each for each in demand.names if each.startswith("*.")), "")
        if not wildcard or resolver is None or resolver.solver.kind == DNS_01:
            return ""
        return (
            f"{wildcard} cannot be certified by {resolver.solver.kind}, which the certificate"
            f' resolver "{resolver.name}" uses; wildcards need a resolver with dnsChallenge'
        )

    def demand(self, demands: Sequence[Demand]) -> None:
        # Demands follow every snapshot.
        self._publication.published()
        known = self._configuration.certificates_resolvers
        before = self.manager.certificates()
        self.manager.want(
            Wish(each.resolver, self._certified_names(each), each.routers)
            for each in demands
            if each.resolver in known and not all(map(is_local, each.names))
        )
        if self.manager.certificates() != before:
            # Those that are wanted now come before what was left by others.
            self._callback()
        self._to_copy.set()

    def _certified_names(self, demand: Demand) -> tuple[str, ...]:
        own = self._configuration.edgerouter.certificates_resolvers.get(demand.resolver)
        domains = list(map(ascii_name, own.wildcards)) if own is not None else []
        if AUTO in domains:
            domains += map(self._domain_above, demand.names)
        return widened(demand.names, domains)

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def _changed(self, _stored: Stored) -> None:
        self._callback()
        self._to_copy.set()

    async def obtain(self, name: str) -> str:
        """Get a certificate on demand to the workers; return why there is none."""
        await self.opened.wait()
        reason = self.broken.get(self.on_demand) or await self.manager.obtain(self.on_demand, name)
        if not reason:
            await self._publish()
        return reason

    async def _publish(self) -> None:
        """Return once every worker has the challenges and certificates of now."""
        await self._publication.wait(self._callback)


async def _nobody(_names: Sequence[str]) -> None:
    """Tell nobody."""
