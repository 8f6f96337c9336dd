"""Which certificates are wanted, which we have, and when the next look at each is due.

Lives in the event loop. Every look is an ``Attempt`` in a thread; at most ``SLOTS`` of a
resolver at a time. Certificates that no router wants any longer are served until they end, not
renewed.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from edgerouter.acme.answers import Answers
from edgerouter.acme.attempt import Attempt, Preflight, Result, State
from edgerouter.acme.errors import CertificateError, Interrupted
from edgerouter.acme.holdings import Holdings, Key, key_of
from edgerouter.acme.plan import UNUSED, Plan, Wish, is_covered, make_plan
from edgerouter.acme.resolver import Resolver
from edgerouter.acme.storage import Storage, Stored
from edgerouter.acme.threads import in_daemon_thread
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

SLOTS = 4
"""Orders of a resolver at the same time: a CA that hangs is no matter of the others."""

PUBLISH_TIME = 10.0
"""Seconds workers have to learn an answer before the CA is sent to look for it."""

KEPT = timedelta(days=7)
"""For how long a certificate that has ended and that nobody wants is kept on the disk."""

AT_ONCE = datetime.min.replace(tzinfo=UTC)

LONGEST_SLEEP = 600.0
"""Seconds; the system's clock may be set meanwhile."""

REFRESH = 60.0
"""Seconds between two looks at what other routers have put into a storage."""


def utc_now() -> datetime:
    """Return the time of the system."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Managed:
    """One certificate that is wanted."""

    wish: Wish
    state: State = State.WAITING
    stored: Stored | None = None
    next_look: datetime = AT_ONCE
    renewal: datetime | None = None
    reason: str = ""
    looks: int = 0
    force: bool = False
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after each look."""


class Manager:
    """Looks after the certificates of all ACME resolvers.

    ``publish`` is awaited when challenges have changed and returns once workers have them;
    ``on_change`` is called when there is another certificate.
    """

    def __init__(
        self,
        publish: Callable[[], Awaitable[None]],
        on_change: Callable[[Stored], None],
        clock: Callable[[], datetime] = utc_now,
        preflight: Preflight | None = None,
    ) -> None:
        self._publish = publish
        self._on_change = on_change
        self._clock = clock
        self._preflight = preflight
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resolvers: dict[str, Resolver] = {}
        self._managed: dict[Key, Managed] = {}
        self._held = Holdings()
        self._wishes: tuple[Wish, ...] = ()
        self._on_demand: dict[str, Wish] = {}
        self.plan = Plan((), ())
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._wake = asyncio.Event()
        self._stop = threading.Event()
        self.answers = Answers(self._publish_from_thread)

    @property
    def resolvers(self) -> Mapping[str, Resolver]:
        """The resolvers by name."""
        return self._resolvers

    @property
    def managed(self) -> Sequence[Managed]:
        """What is wanted, in the order of its names."""
        return sorted(
            self._managed.values(), key=lambda each: (each.wish.names, each.wish.resolver)
        )

    def certificates(self) -> list[Stored]:
        """Return every certificate that is served now, the preferred first."""
        return self._held.served(self._clock(), self._managed)

    def wanted(self) -> list[Stored]:
        """Return what we have of the certificates that are wanted now."""
        found = map(self._held.get, self._managed)
        return [each for each in found if each is not None]

    def add(self, resolver: Resolver, stored: Iterable[Stored]) -> None:
        """Use a resolver whose storage is open; its certificates are there from now on."""
        self._resolvers[resolver.name] = resolver
        self._slots[resolver.name] = asyncio.Semaphore(SLOTS)
        for each in stored:
            self._held.keep(each)
        self._make_plan()

    def want(self, wishes: Iterable[Wish]) -> None:
        """Learn all that is wanted now."""
        wishes = tuple(wishes)
        if wishes != self._wishes:
            self._wishes = wishes
            self._make_plan()

    def _make_plan(self) -> None:
        wishes = (*self._wishes, *self._on_demand.values())
        self.plan = make_plan([wish for wish in wishes if wish.resolver in self._resolvers])
        kept: dict[Key, Managed] = {}
        for wish in self.plan.orders:
            key = wish.resolver, frozenset(wish.names)
            known = self._managed.pop(key, None)
            if known is None:
                kept[key] = Managed(wish, stored=self._held.get(key))
            else:
                # The names stay in the order in which the certificate has them.
                known.wish = Wish(wish.resolver, known.wish.names, wish.routers)
                kept[key] = known
        for gone in self._managed.values():
            gone.changed.set()
            if gone.stored is not None:
                log.info(
                    "No router wants this certificate any more, it is not renewed",
                    extra=fields(resolver=gone.wish.resolver, domains=",".join(gone.wish.names)),
                )
        self._managed = kept
        self._wake.set()

    async def obtain(self, resolver: str, name: str) -> str:
        """Want a certificate for one name from now on; wait for it, return why there is none."""
        self._on_demand[name] = Wish(resolver, (name,))
        self._make_plan()
        looked = None
        while (
            (found := self._certifying(name)) and not self._is_good(found) and found is not looked
        ):
            await found.changed.wait()
            looked = found
        if found is not None and self._is_good(found):
            self.used(name)
            return ""
        self._drop_on_demand(name)
        return found.reason if found is not None else f'there is no resolver "{resolver}"'

    def _drop_on_demand(self, name: str) -> None:
        self._on_demand.pop(name, None)
        self._make_plan()

    def _is_good(self, managed: Managed) -> bool:
        return managed.stored is not None and managed.stored.facts.not_after > self._clock()

    def _certifying(self, name: str) -> Managed | None:
        """Return what is wanted and certifies a name, which may be a wildcard."""
        covering = (each for each in self.managed if is_covered([name], each.wish.names))
        return next(covering, None)

    def adopt_on_demand(self, resolver: str) -> None:
        """Go on renewing what the resolver has obtained on demand and clients still use."""
        storage = self._resolvers[resolver].storage
        for each in self._held:
            if each.resolver == resolver and self._is_used(storage, each.names):
                self._on_demand[each.names[0]] = Wish(resolver, each.names)
        self._make_plan()

    def used(self, name: str) -> None:
        """Take note that clients still ask for a name that they were given on demand."""
        wish = self._on_demand.get(name)
        if wish is not None:
            with suppress(OSError):  # The certificate is served all the same.
                self._resolvers[wish.resolver].storage.note_use(wish.names, self._clock())

    def _is_used(self, storage: Storage, names: tuple[str, ...]) -> bool:
        last = storage.last_use(names)
        return last is not None and last + UNUSED > self._clock()

    def _forget_unused(self) -> None:
        """Renew no longer what was obtained on demand and nobody asks for."""
        unused = [
            name
            for name, wish in self._on_demand.items()
            if (found := self._managed.get((wish.resolver, frozenset(wish.names))))
            and found.stored is not None
            and not self._is_used(self._resolvers[wish.resolver].storage, wish.names)
        ]
        for name in unused:
            del self._on_demand[name]
        if unused:
            self._make_plan()

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._refresh_often())
                while True:
                    self._wake.clear()
                    await self.tidy()
                    sleep = self.tick()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(sleep):
                            await self._wake.wait()
        finally:
            self.stop()

    async def _refresh_often(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            await self.refresh()

    async def refresh(self) -> None:
        """Serve what other routers have put into the storage, and what could not be read before."""
        for resolver in list(self._resolvers.values()):
            try:
                found = await in_daemon_thread(resolver.storage.load_changed, "refresh")
            except OSError as error:
                log.warning(
                    "The storage of certificates cannot be read",
                    extra=fields(resolver=resolver.name, reason=str(error)),
                )
                continue
            for stored in found:
                if self._held.keep_found(stored):
                    self._on_change(stored)
                    if managed := self._managed.get(key_of(stored)):
                        managed.next_look = AT_ONCE
                        self._wake.set()

    async def tidy(self) -> None:
        """Remove certificates that have ended a while ago and that nobody wants."""
        self._forget_unused()
        now = self._clock()
        for stored in self._held:
            resolver = self._resolvers.get(stored.resolver)
            is_wanted = key_of(stored) in self._managed
            if is_wanted or resolver is None or stored.facts.not_after + KEPT > now:
                continue
            try:
                gone = await in_daemon_thread(partial(resolver.storage.remove, stored, now), "tidy")
            except OSError as error:
                log.warning(
                    "A certificate that has ended cannot be removed",
                    extra=fields(domains=",".join(stored.names), reason=str(error)),
                )
                gone = False
            if gone:
                names = ",".join(stored.names)
                log.info("A certificate that has ended is removed", extra=fields(domains=names))
            self._held.drop(stored)

    def stop(self) -> None:
        """Have threads end; their orders are continued at the next start."""
        self._stop.set()
        for managed in self._managed.values():
            if managed.task is not None:
                managed.task.cancel()

    def tick(self) -> float:
        """Begin what is due; return the seconds until something else is."""
        self._loop = asyncio.get_running_loop()
        now = self._clock()
        sleep = LONGEST_SLEEP
        for managed in self._managed.values():
            if managed.task is not None:
                continue
            left = (managed.next_look - now).total_seconds()
            if left <= 0:
                managed.changed.clear()
                managed.task = asyncio.create_task(self._look(managed), name="certificate")
            else:
                sleep = min(sleep, left)
        return sleep

    async def settled(self) -> None:
        """Wait until nothing that was begun is under way."""
        while tasks := [each.task for each in self._managed.values() if each.task is not None]:
            await asyncio.wait(tasks)

    async def _look(self, managed: Managed) -> None:
        """Look once; whatever happens, there is a time for the next look."""
        wish = managed.wish
        forced = False
        try:
            async with self._slots[wish.resolver]:
                forced = managed.force
                managed.state = State.VALID if managed.state is State.VALID else State.ORDERING
                attempt = Attempt(
                    self._resolvers[wish.resolver],
                    wish.names,
                    self._clock,
                    self._stop,
                    self._preflight,
                    managed.looks,
                    forced,
                )
                result = await in_daemon_thread(attempt.run, "acme")
        except Interrupted:
            managed.task = None
            return
        except Exception as error:
            log.exception("The look at a certificate failed")
            next_look = datetime.fromtimestamp(self._clock().timestamp() + 600, UTC)
            result = Result(State.FAILING, managed.stored, next_look, f"internal error: {error}")
        self._apply(managed, result)
        managed.task = None
        if forced and not result.is_busy:
            managed.force = False
        elif managed.force and not forced:
            managed.next_look = AT_ONCE
        managed.changed.set()
        self._wake.set()

    def _apply(self, managed: Managed, result: Result) -> None:
        if result.state is State.PENDING_DNS and managed.reason != result.reason:
            log.warning(
                "The certificate waits",
                extra=fields(domains=",".join(managed.wish.names), reason=result.reason),
            )
        managed.state, managed.reason = result.state, result.reason
        managed.next_look, managed.renewal = result.next_look, result.renewal
        managed.looks = managed.looks + 1 if result.state is State.PENDING_DNS else 0
        if result.stored is not None:
            is_new = self._held.keep(result.stored)
            managed.stored = self._held.get(key_of(result.stored))
            if is_new:
                self._on_change(result.stored)

    def find(self, name: str) -> list[Managed]:
        """Return what is wanted for a name."""
        return [each for each in self.managed if name.lower() in each.wish.names]

    def held(self, name: str) -> list[Stored]:
        """Return what is served for a name, wanted or not."""
        return [each for each in self.certificates() if name.lower() in each.facts.names]

    async def renew(self, managed: Managed) -> Result:
        """Order now, and wait for it."""
        self._order_now(managed)
        while managed.force and any(each is managed for each in self._managed.values()):
            managed.changed.clear()
            await managed.changed.wait()
        return Result(
            managed.state, managed.stored, managed.next_look, managed.reason, managed.renewal
        )

    def _order_now(self, managed: Managed) -> None:
        managed.force, managed.next_look = True, AT_ONCE
        self._wake.set()

    async def revoke(self, stored: Stored, reason: int = 0) -> None:
        """Revoke a certificate; a wanted one is ordered anew at once, another served no longer.

        Raises:
            CertificateError: The CA refuses.
        """
        resolver = self._resolvers.get(stored.resolver)
        if resolver is None:
            raise CertificateError(f'there is no resolver "{stored.resolver}"')
        revoke = partial(resolver.revoke, stored, self._clock(), reason)
        revoked = await in_daemon_thread(revoke, "acme-revoke")
        if self._held.get(key_of(stored)) == stored:
            self._held.keep(revoked)
        for managed in self._managed.values():
            if managed.stored == stored:
                managed.stored = revoked
                self._order_now(managed)
        self._on_change(revoked)

    def _publish_from_thread(self, wait: bool) -> None:
        """Hand challenges to the workers, from the thread of an order."""
        if self._loop is None or self._loop.is_closed():
            return
        done = asyncio.run_coroutine_threadsafe(self._publish_soon(), self._loop)
        if wait:
            with suppress(TimeoutError):
                done.result(PUBLISH_TIME)

    async def _publish_soon(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PUBLISH_TIME):
                await self._publish()
