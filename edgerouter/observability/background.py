"""Writes to pipes and terminals in a thread, so that nobody waits for who should read them.

What a reader has left unread blocks the writer, for ever if need be: a worker would stop
serving in the middle of a log line. Here lines wait in bounded memory; those that find no
room are counted and lost.
"""

import os
import time
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Thread

ROOM = 1024 * 1024
"""Bytes that may wait."""
PAUSE = 0.01
"""Seconds in which lines gather: to wake a thread costs more than to write a line."""
WHOLE = 4096
"""Bytes that a pipe takes in one piece (``PIPE_BUF``), whoever else writes to it."""
LAST_WORDS = 0.5
"""Seconds that ``close`` waits for a reader."""

_END = b""


class BackgroundWriter:
    """The end of a queue of lines for one descriptor; ``write`` is for one thread at a time."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._taken_in = 0
        self._done = 0
        """Bytes written or given up, a count of the thread alone."""
        self._lost = 0
        self._error: OSError | None = None
        self._thread: Thread | None = None

    @property
    def _waiting(self) -> int:
        return self._taken_in - self._done

    def write(self, data: bytes) -> None:
        """Have ``data``, whole lines, written soon.

        Raises:
            OSError: What was written last failed, as this may do.
        """
        if self._waiting + len(data) > ROOM:
            self._lost += data.count(b"\n")
            return
        self._taken_in += len(data)
        self._lines.put(data)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="log writer", daemon=True)
            self._thread.start()
        if self._error is not None:
            raise self._error

    def take_lost(self) -> int:
        """Return how many lines were lost, once, when there is room again."""
        lost = self._lost
        if not lost or self._waiting > ROOM // 2:
            return 0
        self._lost = 0
        return lost

    def close(self) -> None:
        """Wait a moment for what is left, and end.

        Raises:
            OSError: What was written last failed.
        """
        end = time.monotonic() + LAST_WORDS
        while self._waiting and time.monotonic() < end:
            time.sleep(PAUSE / 4)
        self._lines.put(_END)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        line = self._lines.get()
        while line is not _END:
            time.sleep(PAUSE)
            lines = [line]
            while not self._lines.empty():
                lines.append(self._lines.get())
            for part in _parts(lines):
                self._write(part)
                self._done += len(part)
            line = _END if lines[-1] is _END else self._lines.get()

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._fd, data)
        except OSError as error:
            self._error = error
        else:
            self._error = None


def write_all(fd: int, data: bytes) -> None:
    """Write ``data``, in one system call where the kernel takes it.

    Raises:
        OSError: The disk is full, the reader of a pipe has gone, and so on.
    """
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to parts that a pipe takes whole."""
    part = b""
    for line in lines:
        if part and len(part) + len(line) > WHOLE:
            yield part
            part = b""
        part += line
    yield part
