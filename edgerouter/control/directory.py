"""The private directory of the control plane: made, locked, and removed at the end.

A control plane that was killed leaves its directory behind; the next one removes
it. What belongs to the living is told by a lock that ends with its process.
"""

import fcntl
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ADMIN_SOCKET = "admin.sock"
"""The API's; workers pass clients' requests on to it."""
CONTROL_SOCKET = "control.sock"
"""For orders from the command line; no worker knows it."""

PREFIX = "edgerouter-"

PLACES = (None, "/dev/shm")  # noqa: S108 - mkdtemp makes unguessable private directories.
"""Where directories are made: the usual place, or else what a container with a read-only root
still has."""

FRESH = 60.0
"""Seconds in which a directory without a lock may still be locked by who has just made it."""


class StartError(Exception):
    """The control plane cannot start; the message says why and what would help."""


@contextmanager
def runtime_directory(wanted: str) -> Iterator[Path]:
    """Lend the directory of our private sockets: ``wanted``, or a new one of mode 0700.

    Raises:
        StartError: There is no place where it could be made.
    """
    if wanted:
        try:
            Path(wanted).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"edgerouter.runtimeDir: cannot make {wanted}: {error}") from error
        yield Path(wanted)
        return
    remove_stale()
    made = _make()
    lock = _lock(made)
    try:
        yield made
    finally:
        _remove(made)
        if lock is not None:
            os.close(lock)


def _make() -> Path:
    for parent in PLACES:
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    raise StartError(
        "no writable directory for private sockets; mount a tmpfs on /tmp or set"
        " --edgerouter.runtimeDir"
    )


def remove_stale() -> None:
    """Remove the directories that killed control planes of this user have left."""
    for parent in PLACES:
        with suppress(OSError):
            for directory in Path(parent or tempfile.gettempdir()).glob(f"{PREFIX}*"):
                _remove_if_stale(directory)


def _remove_if_stale(directory: Path) -> None:
    with suppress(OSError):
        facts = directory.lstat()
        is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
        if not is_ours or time.time() - facts.st_mtime < FRESH:
            return
        lock = _lock(directory)
        if lock is not None:
            try:
                _remove(directory)
            finally:
                os.close(lock)


def _lock(directory: Path) -> int | None:
    """Return a descriptor that holds the lock of ``directory``; None while another has it."""
    opened = -1
    try:
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if opened >= 0:
            os.close(opened)
        return None
    return opened


def _remove(directory: Path) -> None:
    """Remove a directory that holds sockets or nothing; one with anything else stays."""
    with suppress(OSError):
        entries = list(directory.iterdir())
        if all(stat.S_ISSOCK(entry.lstat().st_mode) for entry in entries):
            for entry in entries:
                entry.unlink(missing_ok=True)
            directory.rmdir()


@contextmanager
def admin_socket(path: Path) -> Iterator[socket.socket]:
    """Lend the private socket of the API; requests wait in it until the API serves.

    Raises:
        StartError: The path is too long or cannot be written.
    """
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        opened.bind(str(path))
    except OSError as error:
        opened.close()
        raise StartError(f"cannot open the socket of the API at {path}: {error}") from error
    finally:
        os.umask(previous)
    opened.listen()
    opened.setblocking(False)
    with opened:
        try:
            yield opened
        finally:
            path.unlink(missing_ok=True)
