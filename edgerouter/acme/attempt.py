"""One look at one certificate: is it still good, may it be ordered, and the order. Blocking.

All that a restart must not forget is in the storage and the ledger; the time is handed in.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from edgerouter.acme.errors import CertificateError, OrderLost, Postponed
from edgerouter.acme.ledger import Outcome, Refusal
from edgerouter.acme.order import Issued
from edgerouter.acme.records import Failure, Pending
from edgerouter.acme.renewal import retry_delay, spread
from edgerouter.acme.resolver import Resolver
from edgerouter.acme.storage import Stored
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

BUSY_DELAY = 5.0
"""Seconds until the next look when another process orders the same certificate."""

PREFLIGHT_DELAYS = (15.0, 30.0, 60.0, 120.0, 240.0)
"""Seconds between looks at a name that does not lead here yet; spread, under five minutes."""

STORAGE_DELAY = 60.0
"""Seconds until the next look when the storage cannot be read or written."""

RATE_LIMITED_DELAY = 3600.0
"""Seconds when the CA has a limit and does not say until when."""


class State(StrEnum):
    """Where a certificate is on its way."""

    WAITING = "waiting"
    """Its turn has not come."""
    PENDING_DNS = "pending-dns"
    ORDERING = "ordering"
    VALID = "valid"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is in the way of an order before it is made."""

    message: str
    is_certain: bool = True
    """Whether an order would fail for sure; a doubt is cleared by a rehearsal."""


Preflight = Callable[[Resolver, Sequence[str]], Finding | None]


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt found."""

    state: State
    stored: Stored | None
    next_look: datetime
    reason: str = ""
    renewal: datetime | None = None
    is_busy: bool = False
    """Whether another process is at it, so that nothing was done."""


@dataclass(slots=True)
class Attempt:
    """Looks after one certificate, once."""

    resolver: Resolver
    names: tuple[str, ...]
    clock: Callable[[], datetime]
    stop: threading.Event
    preflight: Preflight | None = None
    looks: int = 0
    """How often the preflight has found something before."""
    force: bool = False
    """Order now whatever age and failures say; limits stay."""

    def run(self) -> Result:
        """Do what is due.

        Raises:
            Interrupted: The control plane stops meanwhile.
        """
        storage = self.resolver.storage
        try:
            with storage.exclusive(self.names) as mine:
                if not mine:
                    return self._busy()
                return self._look()
        except OSError as error:
            reason = f"the storage {storage.directory} cannot be used: {error}"
            return self._result(State.FAILING, None, STORAGE_DELAY, reason)

    def _busy(self) -> Result:
        stored = self.resolver.storage.load_beside_others(self.names)
        state, reason = State.VALID, ""
        if stored is None:
            state, reason = State.ORDERING, "another process orders it"
        result = self._result(state, stored, BUSY_DELAY, reason)
        return replace(result, is_busy=True)

    def _result(
        self, state: State, stored: Stored | None, delay: float, reason: str = ""
    ) -> Result:
        return Result(state, stored, _moment(self._now() + spread(delay)), reason)

    def _now(self) -> float:
        return self.clock().timestamp()

    def _look(self) -> Result:
        resolver, storage = self.resolver, self.resolver.storage
        stored = storage.load(self.names)
        pending = self._pending(stored)
        now = self.clock()
        if stored is not None and not self.force:
            renewal = resolver.due(stored, now)
            if renewal.time > now:
                look = min(renewal.time, renewal.look_again)
                return Result(State.VALID, stored, look, renewal=renewal.time)
        failure = storage.failure(self.names).load()
        if failure is not None and failure.next_try > now.timestamp() and not self.force:
            return Result(
                State.FAILING, stored, _moment(failure.next_try), failure.reason, renewal=now
            )
        if pending is not None:
            return self._continue(pending, stored, failure)
        return self._begin(stored, failure)

    def _pending(self, stored: Stored | None) -> Pending | None:
        """Return the unfinished order; what is written down of another is forgotten."""
        journal = self.resolver.storage.journal(self.names)
        pending = journal.load()
        if pending is None:
            return None
        if stored is not None and pending.key == stored.key:
            self._forget()  # We were stopped between keeping the certificate and this.
            return None
        if pending.directory != self.resolver.directory:
            journal.save(None)
            return None
        return pending

    def _continue(self, pending: Pending, stored: Stored | None, failure: Failure | None) -> Result:
        """Go on with the unfinished order; one that was only too old makes way for another."""
        try:
            books = self._books(stored)
            issued = self.resolver.obtain(
                self.names, stored, self.clock(), self.stop, books, pending
            )
        except OrderLost as error:
            self._end(error)
            if not error.expired:
                return self._failed(stored, failure, error)
            log.info(
                "The unfinished order is of no use any more",
                extra=fields(domains=",".join(self.names), reason=str(error)),
            )
            return self._begin(stored, failure)
        except CertificateError as error:
            return self._failed(stored, failure, error)
        return self._obtained(issued)

    def _begin(self, stored: Stored | None, failure: Failure | None) -> Result:
        """Order unless a limit forbids it or the preflight sees that it would fail."""
        refusal = self._books(stored).refusal()
        if refusal is not None:
            return self._refused(stored, refusal)
        finding = self.preflight(self.resolver, self.names) if self.preflight else None
        if finding is not None and finding.is_certain:
            delay = PREFLIGHT_DELAYS[min(self.looks, len(PREFLIGHT_DELAYS) - 1)]
            return self._result(State.PENDING_DNS, stored, delay, finding.message)
        rehearsed = failure is not None and failure.rehearsed
        # Renewals are not rehearsed: what has worked once does not wait for a rehearsal.
        if stored is None and not rehearsed and (finding is not None or failure is not None):
            try:
                rehearsed = self._rehearse()
            except CertificateError as error:
                return self._failed(stored, failure, error, where="on the CA's staging endpoint: ")
        return self._order(stored, failure, rehearsed=rehearsed)

    def _refused(self, stored: Stored | None, refusal: Refusal) -> Result:
        return Result(State.FAILING, stored, _moment(refusal.until), refusal.reason)

    def _rehearse(self) -> bool:
        """Order on the CA's staging endpoint; whether that is there and has done it.

        Raises:
            CertificateError: It refuses.
        """
        if not self.resolver.staging:
            return False
        try:
            self.resolver.rehearse(self.names, self.clock(), self.stop)
        except CertificateError as error:
            if not error.passing:
                raise
            log.warning(
                "The order is not rehearsed",
                extra=fields(
                    domains=",".join(self.names), staging=self.resolver.staging, reason=str(error)
                ),
            )
            return False
        return True

    def _order(self, stored: Stored | None, failure: Failure | None, *, rehearsed: bool) -> Result:
        books = self._books(stored)
        try:
            issued = self.resolver.obtain(self.names, stored, self.clock(), self.stop, books)
        except _Refused as error:
            return self._refused(stored, error.refusal)
        except OrderLost as error:
            self._end(error)
            return self._failed(stored, failure, error)
        except CertificateError as error:
            if self.resolver.storage.journal(self.names).load() is None:
                # Whatever the CA has done, nothing can come of it.
                self.resolver.ledger.finish(self.names, "failed", self._now())
            return self._failed(stored, failure, error, rehearsed=rehearsed and error.passing)
        return self._obtained(issued)

    def _books(self, stored: Stored | None) -> "_Books":
        return _Books(self.resolver, self.names, self.clock, is_renewal=stored is not None)

    def _end(self, error: OrderLost) -> None:
        """Write down that nothing comes of an order any more."""
        outcome: Outcome = "issued" if error.issued else "failed"
        self.resolver.ledger.finish(self.names, outcome, self._now(), error.refused)
        self.resolver.storage.journal(self.names).save(None)

    def _obtained(self, issued: Issued) -> Result:
        resolver, names = self.resolver, self.names
        resolver.ledger.finish(names, "issued", self._now())
        # Kept first, then the order is forgotten: nothing is lost in between.
        new = resolver.storage.save(names, issued, resolver.directory)
        self._forget()
        renewal = resolver.due(new, self.clock())
        log.info(
            "Certificate obtained",
            extra=fields(
                resolver=resolver.name,
                domains=",".join(names),
                notAfter=new.facts.not_after.isoformat(),
                renewal=renewal.time.isoformat(),
            ),
        )
        look = min(renewal.time, renewal.look_again)
        return Result(State.VALID, new, look, renewal=renewal.time)

    def _forget(self) -> None:
        """Forget the order that has become a certificate, and what failed before."""
        self.resolver.storage.journal(self.names).save(None)
        self.resolver.storage.failure(self.names).save(None)

    def _failed(
        self,
        stored: Stored | None,
        failure: Failure | None,
        error: CertificateError,
        *,
        where: str = "",
        rehearsed: bool = False,
    ) -> Result:
        reason = f"{where}{error}"
        if isinstance(error, Postponed):
            return Result(State.FAILING, stored, error.until, reason)
        count = failure.count + 1 if failure else 1
        delay = max(retry_delay(count), error.retry_after or 0.0)
        if error.code == "rateLimited" and error.retry_after is None:
            delay = max(delay, RATE_LIMITED_DELAY)
        next_try = math.ceil(self._now() + spread(delay))
        storage = self.resolver.storage
        storage.failure(self.names).save(Failure(count, next_try, reason, rehearsed))
        unfinished = storage.journal(self.names).load() is not None
        log.error(
            "No certificate yet, its order goes on" if unfinished else "No certificate",
            extra=fields(
                resolver=self.resolver.name,
                domains=",".join(self.names),
                reason=reason,
                nextTry=_moment(next_try).isoformat(timespec="seconds"),
            ),
        )
        return Result(State.FAILING, stored, _moment(next_try), reason)


class _Refused(CertificateError):
    """A limit of the CA was reached in the last moment."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _Books:
    """Where the orders of one certificate are written down."""

    resolver: Resolver
    names: tuple[str, ...]
    clock: Callable[[], datetime]
    is_renewal: bool

    def refusal(self) -> Refusal | None:
        """Return the limit of the CA that forbids an order now."""
        now = self.clock().timestamp()
        return self.resolver.ledger.refusal(self.names, now, renewal=self.is_renewal)

    def announce(self) -> None:
        now = self.clock().timestamp()
        refusal = self.resolver.ledger.order(self.names, now, renewal=self.is_renewal)
        if refusal is not None:
            raise _Refused(refusal)

    def save(self, pending: Pending) -> None:
        self.resolver.storage.journal(self.names).save(pending)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
