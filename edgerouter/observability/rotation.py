"""Rotation of the log file by size, shared safely by several processes.

The process that finds the file too large takes a lock on it, so that one
rotates and the others notice that the path names a new file. Old files carry
the time in their name, ``edgerouter-2026-01-02T15-04-05.123.log``; they are
compressed and removed in a thread because that can take seconds.
"""

import fcntl
import gzip
import os
import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgerouter.observability.output import Output

_MEGABYTE = 1024 * 1024
_DEFAULT_SIZE = 100
_STAMP = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True, slots=True)
class Rotation:
    """When to begin a new file and which old ones to keep; 0 means no limit."""

    max_size: int = 0
    """Megabytes; 0 means 100, as in Traefik."""
    max_age: int = 0
    """Days."""
    max_backups: int = 0
    compress: bool = False

    def apply(self, output: Output) -> None:
        """Rotate the file of ``output`` if it is too large, or follow another process that did.

        Raises:
            OSError: Renaming or opening failed; the present file stays in use.
        """
        if output.moved():
            output.reopen()
        elif os.fstat(output.fd).st_size >= (self.max_size or _DEFAULT_SIZE) * _MEGABYTE:
            self._rotate(output)

    def _rotate(self, output: Output) -> None:
        fcntl.flock(output.fd, fcntl.LOCK_EX)
        path = Path(output.path)
        if not output.moved():
            path.rename(_backup_name(path, datetime.now(UTC)))
        # Closing the old descriptor gives the lock back.
        output.reopen()
        threading.Thread(target=self.tidy, args=(path,), name="log rotation", daemon=True).start()

    def tidy(self, path: Path) -> None:
        """Compress and remove the old files of ``path`` as configured."""
        old = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}*"), reverse=True)
        backups = [(file, stamp) for file in old if (stamp := _stamp(path, file)) is not None]
        oldest = datetime.now(UTC) - timedelta(days=self.max_age)
        for index, (file, stamp) in enumerate(backups):
            too_many = self.max_backups and index >= self.max_backups
            if too_many or (self.max_age and stamp < oldest):
                file.unlink(missing_ok=True)
            elif self.compress and file.suffix != ".gz":
                _compress(file)


def _backup_name(path: Path, now: datetime) -> Path:
    stamp = f"{now.strftime(_STAMP)}.{now.microsecond // 1000:03}"
    return path.with_name(f"{path.stem}-{stamp}{path.suffix}")


def _stamp(path: Path, backup: Path) -> datetime | None:
    """Return the time in the name of ``backup``, None when it is another kind of file."""
    text = backup.name.removesuffix(".gz").removesuffix(path.suffix)
    text = text.removeprefix(f"{path.stem}-")
    try:
        return datetime.strptime(text, _STAMP + ".%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _compress(file: Path) -> None:
    target = file.with_name(file.name + ".gz")
    try:
        with file.open("rb") as source, gzip.open(target, "xb") as sink:
            shutil.copyfileobj(source, sink)
    except FileExistsError:
        return  # Another process is at it.
    target.chmod(file.stat().st_mode)
    file.unlink()
