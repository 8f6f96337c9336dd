"""Where log lines go: a file opened for appending, or an inherited descriptor.

Several processes may append to one file: every call of ``write`` is one
``write(2)`` of whole lines with ``O_APPEND``. Knows nothing of formats.
"""

import os
from pathlib import Path

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

    def _open(self) -> int:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, _FLAGS, self._mode)

    def write(self, data: bytes) -> None:
        """Append ``data``, which ends with a newline.

        Raises:
            OSError: The disk is full, the reader of a pipe has gone, and so on.
        """
        written = os.write(self.fd, data)
        while written < len(data):
            written += os.write(self.fd, data[written:])

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
            old, self.fd = self.fd, self._open()
            os.close(old)

    def close(self) -> None:
        """Close the file; an inherited descriptor stays open."""
        if self.path and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
