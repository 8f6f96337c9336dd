"""Reading files that options name, whatever stands at their paths."""

import errno
import os
import stat

LARGEST = 64 * 1024 * 1024
"""Bytes; no file with certificates, users or networks is larger."""


def read_regular(path: str) -> bytes:
    """Return what the regular file ``path`` holds; a pipe or a device could keep one waiting.

    Raises:
        OSError: There is none, or it cannot be read; ``strerror`` says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file can have this name", path) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        if status.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"it has more than {LARGEST} bytes", path)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
