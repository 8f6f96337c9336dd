"""Whether what ACME resolvers keep outlives the container, and what is done where it would not."""

import asyncio
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from edgerouter.acme.files import make_private
from edgerouter.acme.place import Mount, Place, place_of
from edgerouter.acme.single_file import SingleFile
from edgerouter.acme.storage import storage_directory
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.directory import PLACES, PREFIX

log = logging.getLogger(__name__)

SAVE_EVERY = 1.0
"""Seconds between two looks whether the storage has changed."""


class Places:
    """The storages of all resolvers."""

    def __init__(self, configuration: StaticConfiguration, mounts: Sequence[Mount] | None) -> None:
        """Judge them by the mounts of the container that the router is in; None: in none."""
        resolvers: dict[str, list[str]] = {}
        for name, resolver in configuration.certificates_resolvers.items():
            if resolver.acme is not None:
                resolvers.setdefault(resolver.acme.storage, []).append(name)
        self._resolvers: Mapping[str, Sequence[str]] = resolvers
        self._mounts = mounts
        self._files: dict[str, SingleFile] = {}
        self._directories: dict[str, Path] = {}
        self._failures: dict[str, Diagnostic] = {}
        self._lost: list[Diagnostic] = []
        self._restored: set[str] = set()
        self._saving = threading.Lock()

    def problems(self) -> list[Diagnostic]:
        """What is wrong now."""
        return [*self._lost, *self._failures.values()]

    def open(self) -> None:
        """Look where they lie."""
        for storage, names in self._resolvers.items():
            place = place_of(storage, self._mounts)
            if place is Place.FILE:
                directory = _working_directory(storage_directory(storage))
                self._directories[storage] = directory
                self._files[storage] = SingleFile(Path(storage), directory, names)
            elif place is Place.LOST:
                problem = self._problem(storage, _lost(storage))
                self._lost.append(problem)
                log.error(str(problem))

    def is_single_file(self, storage: str) -> bool:
        """Whether this storage is kept in one file."""
        return storage in self._files

    def directory(self, storage: str) -> str:
        """Return what to work with in the place of ``acme.storage``."""
        return str(self._directories.get(storage, storage))

    def restore(self, storage: str) -> None:
        """Make the directory of a storage that is kept in one file, once. Blocking.

        Raises:
            OSError: The file cannot be read, or the directory not be made.
        """
        with self._saving:
            if storage in self._files and storage not in self._restored:
                self._files[storage].restore()
                self._restored.add(storage)

    async def run(self) -> None:
        """Keep files as their directories are, until cancelled."""
        try:
            while self._files:
                await asyncio.to_thread(self.save)
                await asyncio.sleep(SAVE_EVERY)
        finally:
            self.save()
            for storage, directory in self._directories.items():
                if directory != storage_directory(storage):
                    shutil.rmtree(directory, ignore_errors=True)

    def save(self) -> None:
        """Write what has changed, where that is more than the file has."""
        with self._saving:
            for storage in sorted(self._restored):
                self._try(storage, self._files[storage].save)

    def _try(self, storage: str, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            reason = error.strerror or str(error)
            message = (
                f"{storage} cannot be read or written ({reason}), so that its certificates are lost"
                " when the container is made anew; mount it so that it can, or a volume"
            )
            problem = self._problem(storage, message)
            if self._failures.get(storage) != problem:
                self._failures[storage] = problem
                log.error(str(problem))
        else:
            self._failures.pop(storage, None)

    def _problem(self, storage: str, message: str) -> Diagnostic:
        key = f"certificatesResolvers.{self._resolvers[storage][0]}.acme.storage"
        return Diagnostic("error", message, key=key)


def _working_directory(wanted: Path) -> Path:
    """Return the directory beside a mounted file, or another one where that cannot be made."""
    with suppress(OSError):
        make_private(wanted)
        if os.access(wanted, os.W_OK):
            return wanted
    for parent in PLACES:
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=f"{PREFIX}acme-", dir=parent))
    return wanted


def _lost(storage: str) -> str:
    path = Path(storage).resolve()
    directory = path.parent if path.parent != Path("/") else Path("/letsencrypt")
    moved = "" if directory == path.parent else f" and set storage to {directory / path.name}"
    return (
        f"{storage} lies in the container only: its certificates are lost when the container is"
        " made anew, and CAs limit how often they can be ordered again; mount a volume, for"
        f" example letsencrypt:{directory}{moved}"
    )
