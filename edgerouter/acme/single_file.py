"""The storage in one file, Traefik's ``acme.json``: for containers that mount nothing else.

A directory is what is worked with; it is gone when the container is made anew. The file has
all of it: the certificates as Traefik keeps them, so that the way back to Traefik stays
open, and everything under a key of ours. A mounted file cannot be replaced, so it is
written in place.
"""

import base64
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from edgerouter.acme.files import make_private, write_private
from edgerouter.acme.storage import file_name
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

OUR_KEY = "edgerouter/storage"
"""Beside the names of resolvers; Traefik makes nothing of it."""

SETTLED = 1_000_000_000
"""Nanoseconds after which a directory that changes once more has another time."""

_PASSING = "challenges"
"""Directories of what is of no use after a restart."""


class SingleFile:
    """Keeps a storage directory in a file too. Blocking; for one process."""

    def __init__(self, file: Path, directory: Path, resolvers: Sequence[str]) -> None:
        """Keep what these resolvers have in ``directory``."""
        self._file = file
        self._directory = directory
        self._resolvers = {file_name(name): name for name in resolvers}
        self._seen: Mapping[Path, int] = {}
        self._written = ""

    def restore(self) -> None:
        """Make the directory from the file, unless the container has it still.

        Raises:
            OSError: The file cannot be read or written, or the directory not be made.
        """
        if self._directory.exists() and any(self._directory.iterdir()):
            return
        try:
            files = (self._content().get(OUR_KEY) or {}).get("files") or {}
            for name, entry in files.items():
                self._unpack(PurePosixPath(name), entry["text"], entry["time"])
        except (AttributeError, KeyError, TypeError) as error:
            log.error(
                "A part of the mounted file cannot be understood, its certificates are kept",
                extra=fields(file=str(self._file), key=OUR_KEY, reason=repr(error)),
            )

    def _unpack(self, name: PurePosixPath, text: str, changed: float) -> None:
        if ".." in name.parts or name.is_absolute():
            raise KeyError(str(name))
        path = self._directory / name
        make_private(path.parent)
        write_private(path, text)
        os.utime(path, (changed, changed))

    def save(self) -> None:
        """Write the file when something has changed since the last time.

        Raises:
            OSError: It cannot be written.
        """
        now = time.time_ns()
        seen = {}
        for path, _ in self._walk():
            with suppress(FileNotFoundError):
                seen[path] = path.stat().st_mtime_ns
        if seen == self._seen:
            return
        content = self._content()
        text = _json(content | self._packed(content))
        if text != self._written:
            self._write(text)
            self._written = text
        # A change in the same moment as the last one would not be seen.
        is_settled = max(seen.values(), default=0) < now - SETTLED
        self._seen = seen if is_settled else {}

    def _content(self) -> dict[str, Any]:
        """Return what the file has; what cannot be understood is copied and taken out.

        Raises:
            OSError: It cannot be read, or is damaged and none of ours: then Traefik's certificates
                are in it, and nowhere else.
        """
        text = self._file.read_text()
        try:
            content = json.loads(text or "{}")
            if isinstance(content, dict):
                return content
            reason = "it is no JSON object"
        except ValueError as error:
            reason = str(error)
        if OUR_KEY not in text:
            raise OSError(
                f"acme.storage: {self._file} is damaged ({reason}) and Traefik's; nothing is"
                " ordered before its certificates are taken over: repair the file or empty it"
            )
        make_private(self._directory)
        copy = self._directory / f"{self._file.name}.corrupt"
        write_private(copy, text)
        self._write(_json({}))
        log.error(
            "The mounted file is damaged, it is begun anew",
            extra=fields(file=str(self._file), reason=reason, copy=str(copy)),
        )
        return {}

    def _packed(self, former: Mapping[str, Any]) -> dict[str, Any]:
        files = {}
        for path in self._kept():
            name = str(path.relative_to(self._directory))
            # What is removed meanwhile changes its directory: there is a next time.
            with suppress(FileNotFoundError):
                files[name] = {"time": path.stat().st_mtime, "text": path.read_text()}
        packed: dict[str, Any] = {OUR_KEY: {"version": 1, "files": files}}
        texts = {name: str(entry["text"]) for name, entry in files.items()}
        for directory, name in self._resolvers.items():
            # The account is as Traefik left it: it cannot use the kind of key that ours have.
            account = (former.get(name) or {}).get("Account")
            certificates = list(_certificates(texts, f"{directory}/certificates/"))
            packed[name] = {"Account": account, "Certificates": certificates}
        return packed

    def _walk(self) -> Iterator[tuple[Path, list[str]]]:
        """Return the directories that matter with their files."""
        for path, directories, files in os.walk(self._directory):
            directories[:] = sorted(
                name for name in directories if name != _PASSING and ".corrupt" not in name
            )
            yield Path(path), sorted(files)

    def _kept(self) -> Iterator[Path]:
        """Return the files that matter: no locks, nothing unfinished or set aside."""
        for directory, names in self._walk():
            for name in names:
                if name[0] != "." and ".corrupt" not in name:
                    yield directory / name

    def _write(self, text: str) -> None:
        content = text.encode()
        with self._file.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_mode & 0o077:
                os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _certificates(texts: Mapping[str, str], prefix: str) -> Iterator[dict[str, Any]]:
    """Return the certificates among some files as Traefik writes them."""
    for name, text in texts.items():
        if not name.startswith(prefix) or not name.endswith("/meta.json"):
            continue
        place = name.removesuffix("meta.json")
        try:
            meta = json.loads(text)
            main, *sans = meta["names"]
            chain, key = texts[place + meta["certificate"]], texts[place + meta["key"]]
        except (ValueError, KeyError, TypeError):
            continue
        domain = {"main": main} | ({"sans": sans} if sans else {})
        pair = {"certificate": _encoded(chain), "key": _encoded(key)}
        yield {"domain": domain, **pair, "Store": "default"}


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
