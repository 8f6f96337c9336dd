"""Accounts and certificates on the disk: one directory per certificate, private and atomic.

::

    acme.json.d/
      letsencrypt/                      one directory per resolver
        accounts/<host of the CA>.json
        certificates/<name>/
          meta.json                     names the two files that are in force
          certificate-<serial>.pem
          key-<serial>.pem
          order.json                    an order that is not finished
          on-demand                     its time: when a client last asked for it
        ledger.json                     see ``ledger``
        challenges/                     see ``board``

``meta.json`` is replaced last, so that certificate and key always fit. Several processes
may use the same directory.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from edgerouter.acme.connection import Account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.files import locked, read_json, set_aside, write_json, write_private
from edgerouter.acme.keys import Facts, belong_together, facts_of
from edgerouter.acme.order import Issued, Pending
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

VERSION = 1
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


def storage_directory(storage: str) -> Path:
    """Return the directory for Traefik's ``storage``: ``acme.json`` means ``acme.json.d``.

    So does any other file that is there, as Traefik takes every name.
    """
    path = Path(storage)
    if path.is_file() or (path.suffix == ".json" and not path.is_dir()):
        return path.with_name(f"{path.name}.d")
    return path


class Storage:
    """What one resolver keeps."""

    def __init__(self, root: Path, resolver: str) -> None:
        self.resolver = resolver
        self.directory = root / file_name(resolver)
        self._certificates = self.directory / "certificates"
        self._accounts = self.directory / "accounts"

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
            ):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.directory.stat().st_mode & 0o077:
                self.directory.chmod(0o700)
                log.warning(
                    "The storage of certificates was open to others, its mode is now 0700",
                    extra=fields(directory=str(self.directory)),
                )
            with locked(self.directory / ".lock"):
                pass
        except OSError as error:
            raise CertificateError(
                f"acme.storage: {self.directory} cannot be used: {error.strerror or error};"
                " mount a volume that can be written",
                reached_ca=False,
            ) from error

    @property
    def is_new(self) -> bool:
        """Whether nothing has ever been kept here."""
        return not self.directory.exists()

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

    def _account_file(self, directory: str) -> Path:
        parts = urlsplit(directory)
        digest = hashlib.sha256(directory.encode()).hexdigest()[:8]
        return self._accounts / f"{file_name(parts.hostname or 'ca')}-{digest}.json"

    def load_all(self) -> list[Stored]:
        """Return every certificate; damaged ones are set aside and reported."""
        found = []
        for directory in sorted(self._certificates.iterdir()):
            if ".corrupt-" not in directory.name and (directory / "meta.json").exists():
                stored = self._load(directory)
                if stored is not None:
                    found.append(stored)
        return found

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
                if file.name != ".lock":
                    file.unlink(missing_ok=True)
        # The lock goes last; somebody who waits for it makes the directory anew.
        (directory / ".lock").unlink(missing_ok=True)
        with suppress(OSError):
            directory.rmdir()
        return True

    def load(self, names: Sequence[str]) -> Stored | None:
        """Return the certificate for exactly these names, None without one."""
        directory = self._directory(names)
        return self._load(directory) if (directory / "meta.json").exists() else None

    def _load(self, directory: Path) -> Stored | None:
        try:
            meta = read_json(directory / "meta.json")
            chain = (directory / meta["certificate"]).read_text()
            key = (directory / meta["key"]).read_text()
            if not belong_together(chain, key):
                raise ValueError("the key is not the certificate's")
            names = tuple(map(str, meta["names"]))
            return Stored(
                self.resolver, names, chain, key, facts_of(chain), meta.get("directory", "")
            )
        except (ValueError, KeyError, TypeError, OSError) as error:
            self._report(directory, error)
            return None

    def _report(self, path: Path, error: Exception) -> None:
        reason = f"{path.name}: {error}"
        try:
            moved = str(set_aside(path))
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
        for old in place.glob("*.pem"):
            if old.name not in files.values():
                old.unlink(missing_ok=True)
        return Stored(self.resolver, tuple(names), issued.chain, issued.key, facts, directory)

    @contextmanager
    def exclusive(self, names: Sequence[str]) -> Iterator[bool]:
        """Be the only one who orders this certificate; yields False when another process does."""
        place = self._directory(names)
        place.mkdir(mode=0o700, exist_ok=True)
        with locked(place / ".lock", wait=False) as mine:
            yield mine

    def journal(self, names: Sequence[str]) -> "OrderFile":
        """Return where the unfinished order for these names is written down."""
        return OrderFile(self._directory(names) / "order.json")

    def _directory(self, names: Sequence[str]) -> Path:
        # The same for the same set, whichever router names it first.
        name = file_name(min(names))
        if len(names) > 1:
            digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
            name = f"{name[:200]}+{digest}"
        return self._certificates / name


@dataclass(frozen=True, slots=True)
class OrderFile:
    """The unfinished order of one certificate."""

    path: Path

    def load(self) -> Pending | None:
        """Return it; None without one, or when it cannot be read: then a new one is made."""
        try:
            content = read_json(self.path)
            return Pending(**content) if content else None
        except (ValueError, TypeError):
            return None

    def save(self, pending: Pending | None) -> None:
        """Write it down, or forget it."""
        if pending is None:
            self.path.unlink(missing_ok=True)
        else:
            write_json(self.path, asdict(pending))


def file_name(name: str) -> str:
    """Return a name as a file may be called; wildcards begin with ``_``."""
    return _UNSAFE.sub("_", name.lower()).lstrip(".") or "_"
