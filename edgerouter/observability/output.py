"""Where log lines go: a file opened for appending, or an inherited descriptor.

Several processes may append to one file: every call of ``write`` is one
``write(2)`` of whole lines with ``O_APPEND``. Whatever is not a file is written
in the background (``background.py``). Knows nothing of formats.
"""

import os
import stat
from pathlib import Path

from edgerouter.observability.background import BackgroundWriter, write_all

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Output:
    """An append-only sink that survives log rotation by others."""

    def __init__(self, path: str, fallback: int, mode: int = 0o644) -> None:
        """Open ``path``, or use the descriptor ``fallback`` when it is empty.

        Raises:
            OSError: The file or its directory cannot be made.
        """
        self.path = path
        self._mode = mode
        self.fd = self._open() if path else fallback
        self._background = None if _is_file(self.fd) else BackgroundWriter(self.fd)

    def _open(self) -> int:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, _FLAGS, self._mode)

    def write(self, data: bytes) -> None:
        """Append ``data``, which ends with a newline.

        Raises:
            OSError: The disk is full, the reader of a pipe has gone, and so on.
        """
        if self._background is not None:
            self._background.write(data)
        else:
            write_all(self.fd, data)

    def take_lost(self) -> int:
        """Return how many lines nobody has read in time, once, when there is room again."""
        return self._background.take_lost() if self._background is not None else 0

    def moved(self) -> bool:
        """Tell whether the path no longer names the open file (somebody rotated it)."""
        if not self.path:
            return False
        here = os.fstat(self.fd)
        try:
            there = os.stat(self.path)  # noqa: PTH116 (called for every line)
        except OSError:
            return True
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def reopen(self) -> None:
        """Open the path anew, for SIGUSR1 and after a rotation; without a path do nothing.

        Raises:
            OSError: The file cannot be opened; the old one stays in use.
        """
        if self.path:
            new = self._open()
            os.dup2(new, self.fd, inheritable=False)  # The number stays: a thread may use it.
            os.close(new)

    def close(self) -> None:
        """Close the file; an inherited descriptor stays open, and what a thread may use.

        Raises:
            OSError: What was written in the background failed.
        """
        if self._background is not None:
            self._background.close()
        elif self.path and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _is_file(fd: int) -> bool:
    """Tell whether writing to ``fd`` waits for nobody; a closed one fails at once."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return True
