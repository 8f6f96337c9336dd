"""Files that count as long as a process holds them locked; what a dead process leaves does not.

Several processes, on one machine or over a network disk, may use the same directory.
"""

import fcntl
import os
from pathlib import Path


class HeldFile:
    """A file that is ours until ``release``; others read it, nobody else has it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Replace what others read; who reads in between may see less of it."""
        content = text.encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)

    def release(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def take(path: Path) -> HeldFile | None:
    """Make the file, or take one that nobody holds any more; None when somebody has it.

    Raises:
        OSError: It cannot be made.
    """
    descriptor = _locked(path, os.O_RDWR | os.O_CREAT)
    return None if descriptor is None else HeldFile(path, descriptor)


def read_held(directory: Path, mine: frozenset[Path] = frozenset()) -> dict[Path, str]:
    """Return the files in a directory that others hold; what is left over is removed.

    Raises:
        OSError: They cannot be read.
    """
    found = {}
    for path in sorted(directory.iterdir()) if directory.exists() else ():
        if path in mine:
            continue
        try:
            descriptor = _locked(path, os.O_RDWR)
            if descriptor is None:
                found[path] = path.read_text()
            else:
                HeldFile(path, descriptor).release()
        except FileNotFoundError:
            continue
    return found


def _locked(path: Path, flags: int) -> int | None:
    """Open and lock the file that is at ``path``; None when another process has it."""
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        # Its last owner has removed it while we opened it.
        os.close(descriptor)
