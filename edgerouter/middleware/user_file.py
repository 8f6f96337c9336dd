"""Users of ``basicAuth`` and ``digestAuth``: from options and from a file that may change.

Lines of the file and entries of the options have the same form; empty lines and
those that start with ``#`` are skipped. Of two entries for a user the options'
one wins. Secrets never get into messages.
"""

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from edgerouter.config.content import read_regular
from edgerouter.middleware.base import BuildError

CHECK_INTERVAL = 1.0
"""Seconds between two looks at the file's time of change."""

Parse = Callable[[str], tuple[str, str]]
"""Makes user and secret of an entry; a ``ValueError`` of it says what is wrong, not the secret."""

_log = logging.getLogger(__name__)


class Users:
    """The users and their secrets as they are now."""

    def __init__(
        self,
        entries: Sequence[str],
        path: str,
        parse: Parse,
        clock: Callable[[], float] = monotonic,
        *,
        follows: bool = True,
    ) -> None:
        """Read everything, and unless it ``follows`` its changes the file only now.

        Raises:
            BuildError: An entry is malformed, the file cannot be read, or there is no user.
        """
        self.version = 0
        """Grows when the users have changed."""
        self._entries = _parsed(entries, parse, "users: entry")
        self._path = path
        self._parse = parse
        self._clock = clock
        self._mark: tuple[int, int, int] | None = None
        self._complaint = ""
        self._secrets: Mapping[str, str] = self._entries
        self._next = clock() + CHECK_INTERVAL if follows else math.inf
        if path:
            try:
                self._mark = _mark(path)
                self._load()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise BuildError(f"usersFile: cannot read {path!r}: {reason}") from None
        if not self._secrets:
            raise BuildError("there is no user; add one to users or usersFile (htpasswd makes it)")

    def current(self) -> Mapping[str, str]:
        """Return the secrets by user; a changed file is read first, a broken one reported."""
        if self._path and (now := self._clock()) >= self._next:
            self._next = now + CHECK_INTERVAL
            self._refresh()
        return self._secrets

    def _refresh(self) -> None:
        try:
            mark = _mark(self._path)
            if mark != self._mark:
                self._load()
                self._mark = mark
            self._complaint = ""
        except (OSError, BuildError) as error:
            if str(error) != self._complaint:
                _log.error("A users file cannot be used, the users stay as they were: %s", error)
            self._complaint = str(error)

    def _load(self) -> None:
        lines = read_regular(self._path).decode("utf-8", "surrogateescape").splitlines()
        entries = [line.strip() for line in lines]
        kept = [entry for entry in entries if entry and not entry.startswith("#")]
        self._secrets = {
            **_parsed(kept, self._parse, f"usersFile: {self._path}: entry"),
            **self._entries,
        }
        self.version += 1


def _mark(path: str) -> tuple[int, int, int]:
    """Return what changes when a file is written or replaced."""
    status = os.stat(path)  # noqa: PTH116 - on the hot path once a second.
    return status.st_mtime_ns, status.st_size, status.st_ino


def _parsed(entries: Sequence[str], parse: Parse, where: str) -> dict[str, str]:
    users = {}
    for number, entry in enumerate(entries, 1):
        try:
            user, secret = parse(entry.strip())
        except ValueError as error:
            raise BuildError(f"{where} {number}: {error}") from None
        users[user] = secret
    return users
