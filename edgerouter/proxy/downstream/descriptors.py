"""Notices that file descriptors run out.

The event loop accepts a connection for which there is no descriptor and closes it, without
a word. But the kernel hands out the lowest number that is free, so a high one tells in time.
"""

import resource
from typing import Protocol

from edgerouter.observability import complaints

SPARE = 8
"""Descriptors left when the log is told."""
LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""What this process may have; the control plane raises it before workers start."""
_IS_LIMITED = LIMIT != resource.RLIM_INFINITY


class Socket(Protocol):
    """What an event loop shows of a socket."""

    def fileno(self) -> int: ...


def look_at(accepted: Socket, connections: int) -> None:
    """Tell the log when ``accepted``, one of so many ``connections``, has one of the last."""
    if accepted.fileno() >= LIMIT - SPARE and _IS_LIMITED:
        complaints.files_run_out(LIMIT, connections)
