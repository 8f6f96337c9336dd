import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from edgerouter.observability.background import ROOM, WHOLE, BackgroundWriter
from tests.support.eventually import eventually


@contextmanager
def piped() -> Iterator[tuple[int, BackgroundWriter]]:
    """A pipe's reading end and a writer for the other one."""
    ours, theirs = os.pipe()
    writer = BackgroundWriter(theirs)
    try:
        yield ours, writer
    finally:
        with suppress(OSError):
            os.close(ours)
        with suppress(OSError):
            writer.close()
        os.close(theirs)


def read_lines(fd: int, count: int) -> list[bytes]:
    data = b""
    while data.count(b"\n") < count:
        data += os.read(fd, 65536)
    assert data.endswith(b"\n")
    return data.split(b"\n")[:-1]


def test_lines_come_whole_and_in_order() -> None:
    lines = [b"%d %b" % (n, b"x" * (n % 700)) for n in range(2000)]
    lines.append(b"long " + b"y" * 3 * WHOLE)
    with piped() as (fd, writer):
        for line in lines:
            writer.write(line + b"\n")
        assert read_lines(fd, len(lines)) == lines


def test_two_processes_do_not_tear_each_others_lines() -> None:
    """A pipe takes what is not longer than ``PIPE_BUF`` in one piece, so nothing more is joined."""
    with piped() as (fd, writer):
        other = BackgroundWriter(os.dup(writer._fd))
        for each, sign in ((writer, b"a"), (other, b"b")):
            for _ in range(1000):
                each.write(sign * 99 + b"\n")
        assert set(read_lines(fd, 2000)) == {b"a" * 99, b"b" * 99}
        other.close()
        os.close(other._fd)


def test_nobody_waits_for_a_reader_and_lost_lines_are_counted() -> None:
    line = b"x" * 999 + b"\n"
    with piped() as (fd, writer):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
        sent = 0
        while not writer._lost:
            writer.write(line)
            sent += 1
        assert ROOM - 1000 <= writer._waiting <= ROOM
        writer.write(line * 3)  # Several lines at once, as with accessLog.bufferingSize.
        assert writer.take_lost() == 0, "as long as nobody reads, there is nothing to say"
        reader = threading.Thread(target=read_lines, args=(fd, sent - 1))
        reader.start()
        assert eventually(writer.take_lost, bool) == 4
        assert writer.take_lost() == 0
        reader.join()
        writer.write(b"again\n")
        assert read_lines(fd, 1) == [b"again"]


def test_the_end_does_not_wait_for_a_reader_for_ever() -> None:
    with piped() as (fd, writer):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(10):
            writer.write(b"x" * 999 + b"\n")
        writer.close()
        assert writer._waiting


def test_a_reader_that_has_gone_is_an_error_of_the_next_line() -> None:
    with piped() as (fd, writer):
        os.close(fd)
        writer.write(b"a\n")
        with pytest.raises(BrokenPipeError) as caught:
            writer.close()
        assert caught.value.errno == errno.EPIPE
        with pytest.raises(BrokenPipeError):
            writer.write(b"b\n")
