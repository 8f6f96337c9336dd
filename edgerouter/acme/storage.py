"""What is kept on the disk: one directory per certificate, private and atomic.

::

    acme.json.d/
      letsencrypt/                      one directory per resolver
        accounts/<host of the CA>.json
        certificates/<name>/
          meta.json                     names the two files that are in force
          certificate-<serial>.pem
          key-<serial>.pem
          revoked-<serial>              the certificate has been revoked
          order.json                    an order that is not finished
          failure.json                  why there is none, and when it is tried again
          on-demand                     its time: when a client last asked for it
        challenges/                     see ``board``
        imported                        Traefik's acme.json has been taken over
      .ledgers/<host of the CA>.json    what was ordered of a CA, see ``ledger``

``meta.json`` is replaced last, so that certificate and key always fit. Several processes
may use the same directory.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgerouter.acme.connection import Account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.files import locked, read_json, set_aside, sweep, write_json, write_private
from edgerouter.acme.keys import Facts, belong_together, facts_of
from edgerouter.acme.order import Issued
from edgerouter.acme.records import Failure, Pending, Record
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

VERSION = 1
READS = 5
"""How often a certificate is read again because it is replaced meanwhile."""

SETTLED = 1_000_000_000
"""Nanoseconds after which a directory that changes once more has another time."""

_LOCK = ".lock"
_UNSAFE = re.compile(r"[^a-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Stored:
    """A certificate that we have."""

    resolver: str
    names: tuple[str, ...]
    """As they were ordered, the common name first."""
    chain: str
    key: str
    facts: Facts
    directory: str = ""
    """The CA that issued it; empty when it was imported."""
    revoked: bool = False


def storage_directory(storage: str) -> Path:
    """Return the directory for Traefik's ``storage``: ``acme.json`` means ``acme.json.d``.

    So does any other file that is there, as Traefik takes every name.
    """
    path = Path(storage)
    if path.is_file() or (path.suffix == ".json" and not path.is_dir()):
        return path.with_name(f"{path.name}.d")
    return path


class Storage:
    """What one resolver keeps. Safe for threads and processes."""

    def __init__(self, root: Path, resolver: str) -> None:
        self.resolver = resolver
        self.directory = root / file_name(resolver)
        self.imported = self.directory / "imported"
        """There when Traefik's ``acme.json`` has been taken over."""
        self._certificates = self.directory / "certificates"
        self._accounts = self.directory / "accounts"
        self._ledgers = root / ".ledgers"
        self._seen: dict[str, int] = {}
        """Directories of certificates and when they had changed as they were read."""

    def open(self) -> None:
        """Make the directories, for nobody but us.

        Raises:
            CertificateError: They cannot be made or written.
        """
        try:
            for directory in (
                self.directory.parent,
                self.directory,
                self._certificates,
                self._accounts,
                self._ledgers,
            ):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.directory.stat().st_mode & 0o077:
                self.directory.chmod(0o700)
                log.warning(
                    "The storage of certificates was open to others, its mode is now 0700",
                    extra=fields(directory=str(self.directory)),
                )
            with locked(self.directory / _LOCK):
                for directory in (self.directory, self._ledgers):
                    sweep(directory)
        except OSError as error:
            raise CertificateError(
                f"acme.storage: {self.directory} cannot be used: {error.strerror or error};"
                " mount a volume that can be written",
            ) from error

    def load_account(self, directory: str) -> Account | None:
        """Return our account at a CA, None without one; a damaged one is set aside."""
        path = self._account_file(directory)
        try:
            content = read_json(path)
            return Account(**content) if content else None
        except (ValueError, TypeError) as error:
            self._report(path, error)
            return None

    def save_account(self, account: Account) -> None:
        """Keep an account."""
        write_json(self._account_file(account.directory), asdict(account))

    @contextmanager
    def registering(self) -> Iterator[None]:
        """Be the only one who makes an account."""
        with locked(self._accounts / _LOCK):
            yield

    def _account_file(self, directory: str) -> Path:
        return self._accounts / _file_of_ca(directory)

    def ledger_file(self, directory: str) -> Path:
        """Return where the orders of all resolvers at a CA are written down."""
        return self._ledgers / _file_of_ca(directory)

    def load_changed(self) -> list[Stored]:
        """Return the certificates that are new or others since the last call.

        Damaged ones are set aside and reported. What cannot be read just now comes later.
        """
        found = []
        for directory in sorted(self._certificates.iterdir()):
            if ".corrupt-" in directory.name:
                continue
            try:
                changed = directory.stat().st_mtime_ns
                if self._seen.get(directory.name) == changed:
                    continue
                stored = self._load_beside_others(directory)
                # A second change may have the time of the first.
                if changed < time.time_ns() - SETTLED:
                    self._seen[directory.name] = changed
            except OSError as error:
                log.warning(
                    "A certificate cannot be read now, it is tried again",
                    extra=fields(directory=str(directory), reason=str(error)),
                )
            else:
                if stored is not None:
                    found.append(stored)
        return found

    def load_beside_others(self, names: Sequence[str]) -> Stored | None:
        """Return the certificate for exactly these names while another process is at work on it.

        Raises:
            OSError: It cannot be read.
        """
        return self._load_beside_others(self._directory(names))

    def _load_beside_others(self, directory: Path) -> Stored | None:
        """Read a certificate that another process may be replacing."""
        try:
            return self._read(directory)
        except _Damaged as error:
            with locked(directory / _LOCK, wait=False) as mine:
                if mine:
                    self._report(directory, error)
            return None

    def note_use(self, names: Sequence[str], now: datetime) -> None:
        """Keep when a certificate on demand was last asked for."""
        mark = self._directory(names) / "on-demand"
        mark.touch(mode=0o600)
        os.utime(mark, (now.timestamp(), now.timestamp()))

    def last_use(self, names: Sequence[str]) -> datetime | None:
        """Return when a certificate on demand was last asked for; None when it is another."""
        try:
            seconds = (self._directory(names) / "on-demand").stat().st_mtime
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(seconds, UTC)

    def remove(self, stored: Stored, now: datetime) -> bool:
        """Remove what is kept of a certificate that has ended; tell whether it is gone.

        One that another process has renewed meanwhile, or orders now, stays.
        """
        directory = self._directory(stored.names)
        with self.exclusive(stored.names) as mine:
            current = self.load(stored.names) if mine else None
            if current is None or current.facts.not_after > now:
                return False
            # First, so that no half of it is ever read.
            (directory / "meta.json").unlink(missing_ok=True)
            for file in directory.iterdir():
                if file.name != _LOCK:
                    file.unlink(missing_ok=True)
            # The lock goes last, by who has it: others look whether theirs is still there.
            (directory / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            directory.rmdir()
        return True

    def load(self, names: Sequence[str]) -> Stored | None:
        """Return the certificate for exactly these names, None without one.

        A damaged one is set aside and reported; nobody else may be at work on it.

        Raises:
            OSError: It cannot be read.
        """
        directory = self._directory(names)
        try:
            return self._read(directory)
        except _Damaged as error:
            self._report(directory, error)
            return None

    def _read(self, directory: Path) -> Stored | None:
        """Return the certificate in a directory, None without one.

        Raises:
            _Damaged: It can be read and is none.
            OSError: It cannot be read, which says nothing about it.
        """
        meta = _meta(directory)
        for _ in range(READS):
            if not meta:
                return None
            try:
                return self._stored(directory, meta)
            except FileNotFoundError as error:
                known, meta = meta, _meta(directory)
                if meta == known:
                    raise _Damaged(str(error)) from error
                # Another process has replaced it meanwhile.
            except (ValueError, KeyError, TypeError) as error:
                raise _Damaged(str(error)) from error
        raise OSError(f"{directory} is replaced all the time")

    def _stored(self, directory: Path, meta: dict[str, Any]) -> Stored:
        chain = (directory / meta["certificate"]).read_text()
        key = (directory / meta["key"]).read_text()
        if not belong_together(chain, key):
            raise ValueError("the key is not the certificate's")
        facts = facts_of(chain)
        return Stored(
            self.resolver,
            tuple(map(str, meta["names"])),
            chain,
            key,
            facts,
            meta.get("directory", ""),
            _revocation(directory, facts).exists(),
        )

    def _report(self, path: Path, error: Exception) -> None:
        reason = f"{path.name}: {error}"
        try:
            moved = str(set_aside(path, _STAYING))
        except OSError as problem:
            moved = f"nowhere ({problem})"
        log.error(
            "A damaged part of the storage of certificates is set aside",
            extra=fields(resolver=self.resolver, reason=reason, movedTo=moved),
        )

    def save(self, names: Sequence[str], issued: Issued, directory: str) -> Stored:
        """Keep a certificate; what was kept for the same names is replaced.

        Raises:
            OSError: It cannot be written; the old one stays in force.
        """
        facts = facts_of(issued.chain)
        place = self._directory(names)
        place.mkdir(mode=0o700, exist_ok=True)
        files = {"certificate": f"certificate-{facts.serial}.pem", "key": f"key-{facts.serial}.pem"}
        write_private(place / files["key"], issued.key)
        write_private(place / files["certificate"], issued.chain)
        meta = {"version": VERSION, "names": list(names), "directory": directory, **files}
        meta["notAfter"] = facts.not_after.isoformat()
        write_json(place / "meta.json", meta)
        for old in (*place.glob("*.pem"), *place.glob("revoked-*")):
            if old.name not in files.values():
                old.unlink(missing_ok=True)
        return Stored(self.resolver, tuple(names), issued.chain, issued.key, facts, directory)

    @contextmanager
    def exclusive(self, names: Sequence[str]) -> Iterator[bool]:
        """Be the only one who orders this certificate; yields False when another process does."""
        place = self._directory(names)
        place.mkdir(mode=0o700, exist_ok=True)
        with locked(place / _LOCK, wait=False) as mine:
            yield mine

    def mark_revoked(self, stored: Stored) -> None:
        """Keep that a certificate is revoked."""
        _revocation(self._directory(stored.names), stored.facts).touch(mode=0o600)

    def journal(self, names: Sequence[str]) -> Record[Pending]:
        """Return where the unfinished order for these names is written down."""
        return Record(self._directory(names) / "order.json", Pending)

    def failure(self, names: Sequence[str]) -> Record[Failure]:
        """Return where the last failure for these names is written down."""
        return Record(self._directory(names) / "failure.json", Failure)

    def _directory(self, names: Sequence[str]) -> Path:
        # The same for the same set, whichever router names it first.
        name = file_name(min(names))
        if len(names) > 1:
            digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
            name = f"{name[:200]}+{digest}"
        return self._certificates / name


_STAYING = frozenset({_LOCK, "order.json", "failure.json", "on-demand"})
"""Files that are none of the certificate's."""


class _Damaged(Exception):
    """What is kept of a certificate is none."""


def _meta(directory: Path) -> dict[str, Any]:
    try:
        return read_json(directory / "meta.json")
    except ValueError as error:
        raise _Damaged(f"meta.json: {error}") from error


def _revocation(directory: Path, facts: Facts) -> Path:
    return directory / f"revoked-{facts.serial}"


def _file_of_ca(directory: str) -> str:
    digest = hashlib.sha256(directory.encode()).hexdigest()[:8]
    return f"{file_name(urlsplit(directory).hostname or 'ca')}-{digest}.json"


def file_name(name: str) -> str:
    """Return a name as a file may be called; wildcards begin with ``_``."""
    return _UNSAFE.sub("_", name.lower()).lstrip(".") or "_"
