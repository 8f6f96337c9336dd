"""The way to CAs: what they say of themselves is asked once, and who is away is left alone."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from edgerouter.acme.connection import Account, Authority, Connection, Known
from edgerouter.acme.errors import Postponed, Unanswered
from edgerouter.acme.renewal import spread
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

AWAY_DELAYS = (60.0, 120.0, 300.0)
"""Seconds for which a CA is not asked that did not answer once, twice, ... in a row.

Asking costs nothing of its limits, so they stay short: certificates wait for it.
"""

KNOWN_TIME = timedelta(hours=1)
"""How long a CA's directory is used again."""


@dataclass(frozen=True, slots=True)
class _Absence:
    until: datetime
    count: int
    reason: str


class Reach:
    """What one resolver knows of its CA and of that one's staging endpoint. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[datetime, Known]] = {}
        self._absences: dict[str, _Absence] = {}

    @contextmanager
    def asking(self, directory: str, now: datetime) -> Iterator[None]:
        """Ask a CA something inside; it is known to be away when it does not answer.

        Raises:
            Postponed: It is away.
        """
        known = self._absences.get(directory)
        if known is not None and known.until > now:
            raise Postponed(known.reason, known.until)
        try:
            yield
        except Unanswered as error:
            absence = self._away(directory, now, str(error))
            raise Postponed(absence.reason, absence.until) from error
        else:
            if self._absences.pop(directory, None) is not None:
                log.info("The CA answers again", extra=fields(ca=directory))

    def _away(self, directory: str, now: datetime, reason: str) -> _Absence:
        with self._lock:
            known = self._absences.get(directory)
            if known is not None and known.until > now:
                return known  # Another thread has found out at the same time.
            count = known.count + 1 if known is not None else 1
            delay = spread(AWAY_DELAYS[min(count, len(AWAY_DELAYS)) - 1])
            found = _Absence(now + timedelta(seconds=delay), count, reason)
            self._absences[directory] = found
        log.error(
            "The CA is away, nothing is asked of it for a while",
            extra=fields(reason=reason, until=found.until.isoformat(timespec="seconds")),
        )
        return found

    def open(self, authority: Authority, account: Account, now: datetime) -> Connection:
        """Return a connection.

        Raises:
            CertificateError: The CA cannot be reached, or does not say what it offers.
        """
        end, known = self._known.get(authority.directory, (now, None))
        connection = Connection(authority, account, known if end > now else None)
        if connection.known is not known:
            self._known[authority.directory] = now + KNOWN_TIME, connection.known
        return connection

    def forget(self, directory: str) -> None:
        """Ask a CA anew what it offers: something went wrong with what we know."""
        self._known.pop(directory, None)
