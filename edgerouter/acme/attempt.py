"""One look at one certificate: is it still good, may it be ordered, and the order. Blocking.

All that a restart must not forget is in the storage and the ledger; the time is handed in.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from edgerouter.acme.errors import CertificateError
from edgerouter.acme.ledger import Failure
from edgerouter.acme.renewal import retry_delay
from edgerouter.acme.resolver import Resolver
from edgerouter.acme.storage import Stored
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

BUSY_DELAY = 5.0
"""Seconds until the next look when another process orders the same certificate."""

PREFLIGHT_DELAYS = (15.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between looks at a name that does not lead here yet."""

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
                    reason = "another process orders it"
                    return self._result(
                        State.ORDERING, storage.load(self.names), BUSY_DELAY, reason
                    )
                return self._look()
        except OSError as error:
            reason = f"the storage {storage.directory} cannot be used: {error}"
            return self._result(State.FAILING, None, 60.0, reason)

    def _result(
        self, state: State, stored: Stored | None, delay: float, reason: str = ""
    ) -> Result:
        now = self.clock()
        return Result(state, stored, _after(now, delay), reason)

    def _look(self) -> Result:
        resolver = self.resolver
        now = self.clock()
        stored = resolver.storage.load(self.names)
        if stored is not None and not self.force:
            renewal = resolver.due(stored, now)
            if renewal.time > now:
                # The order that made it may still be written down.
                resolver.storage.journal(self.names).save(None)
                look = min(renewal.time, renewal.look_again)
                return Result(State.VALID, stored, look, renewal=renewal.time)
        failure = resolver.ledger.failure(self.names)
        if failure is not None and failure.next_try > now.timestamp() and not self.force:
            return Result(
                State.FAILING, stored, _moment(failure.next_try), failure.reason, renewal=now
            )
        if resolver.storage.journal(self.names).load() is not None:
            return self._order(stored, failure, rehearse=False)
        return self._refused(stored) or self._checked(stored, failure)

    def _refused(self, stored: Stored | None) -> Result | None:
        """Return the limit of the CA that forbids an order now."""
        resolver = self.resolver
        if resolver.limits is None:
            return None
        refusal = resolver.ledger.refusal(
            resolver.limits,
            resolver.directory,
            self.names,
            self.clock().timestamp(),
            renewal=stored is not None,
        )
        if refusal is None:
            return None
        return Result(State.FAILING, stored, _moment(refusal.until), refusal.reason)

    def _checked(self, stored: Stored | None, failure: Failure | None) -> Result:
        """Order unless the preflight sees that it would fail."""
        finding = self.preflight(self.resolver, self.names) if self.preflight else None
        if finding is not None and finding.is_certain:
            delay = PREFLIGHT_DELAYS[min(self.looks, len(PREFLIGHT_DELAYS) - 1)]
            return self._result(State.PENDING_DNS, stored, delay, finding.message)
        doubt = finding is not None or failure is not None
        rehearsed = failure is not None and failure.rehearsed
        return self._order(stored, failure, rehearse=doubt and not rehearsed)

    def _order(self, stored: Stored | None, failure: Failure | None, *, rehearse: bool) -> Result:
        resolver, names = self.resolver, self.names
        try:
            if rehearse and resolver.staging:
                resolver.obtain(names, None, self.stop, rehearsal=True)
        except CertificateError as error:
            return self._failed(stored, failure, error, "on the CA's staging endpoint: ")
        ledger, journal = resolver.ledger, resolver.storage.journal(names)
        if journal.load() is None:
            now = self.clock().timestamp()
            ledger.ordered(resolver.directory, names, now, renewal=stored is not None)
        try:
            issued = resolver.obtain(names, stored, self.stop)
        except CertificateError as error:
            if journal.load() is None:
                failed = names if error.code in _VALIDATION_CODES else ()
                ledger.finished(resolver.directory, names, "failed", failed)
            return self._failed(stored, failure, error)
        ledger.finished(resolver.directory, names, "issued")
        # Kept first, then the order is forgotten: nothing is lost in between.
        new = resolver.storage.save(names, issued, resolver.directory)
        journal.save(None)
        resolver.ledger.set_failure(names, None)
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

    def _failed(
        self,
        stored: Stored | None,
        failure: Failure | None,
        error: CertificateError,
        where: str = "",
    ) -> Result:
        count = failure.count + 1 if failure else 1
        delay = max(retry_delay(count), error.retry_after or 0.0)
        if error.code == "rateLimited" and error.retry_after is None:
            delay = max(delay, RATE_LIMITED_DELAY)
        now = self.clock()
        reason = f"{where}{error}"
        next_try = now.timestamp() + delay
        self.resolver.ledger.set_failure(self.names, Failure(count, next_try, reason))
        log.error(
            "No certificate",
            extra=fields(
                resolver=self.resolver.name,
                domains=",".join(self.names),
                reason=reason,
                nextTry=_moment(next_try).isoformat(timespec="seconds"),
            ),
        )
        return Result(State.FAILING, stored, _moment(next_try), reason)


_VALIDATION_CODES = frozenset(
    {"caa", "connection", "dns", "incorrectResponse", "tls", "unauthorized"}
)
"""Errors after which a CA counts a failed validation."""


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _after(now: datetime, seconds: float) -> datetime:
    return _moment(now.timestamp() + seconds)
