"""Private files that several processes may share: whole or not at all, and one writer at a time."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_UNFINISHED = ".*.new"
_LONGEST_WRITE = 3600.0
"""Seconds after which nobody writes a file any more that has not got its name."""


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that readers see the old content or the new one.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    write_private_bytes(path, text.encode())


def write_private_bytes(path: Path, content: bytes) -> None:
    """Write a file as ``write_private`` does.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    # Process numbers are no help: routers in two containers have the same.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_private(directory: Path) -> None:
    """Make a directory that only we can open, and those above that are missing.

    Raises:
        OSError: It cannot be made.
    """
    missing = [path for path in directory.parents if not path.exists()]
    for path in (*reversed(missing), directory):
        path.mkdir(mode=0o700, exist_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty when there is no such file.

    Raises:
        ValueError: It is no JSON object.
        OSError: It cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object as ``write_private`` does."""
    write_private(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def sweep(directory: Path) -> None:
    """Remove what writers that were killed have left behind, at any depth."""
    for path in directory.rglob(_UNFINISHED):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _LONGEST_WRITE:
                path.unlink()


def set_aside(path: Path, staying: Collection[str] = ()) -> Path:
    """Rename a file or directory that cannot be used; return its new name.

    Of a directory only the content is moved, and what is ``staying`` stays: it may be locked.
    """
    number = 1
    while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    if path.is_dir():
        target.mkdir(mode=0o700)
        for each in list(path.iterdir()):
            if each.name not in staying:
                each.rename(target / each.name)
    else:
        path.rename(target)
    return target


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file ``path``; yields False when another process has it and ``wait`` is not."""
    descriptor = _lock(path, wait=wait)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(path: Path, *, wait: bool) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it has removed the file: others lock the one that is there now.
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
