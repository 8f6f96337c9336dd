"""Checking passwords beside the event loop, and remembering pairs that were right.

A right pair is remembered as a keyed hash; the key is random and never leaves
the process, so the memory is of no use to anybody else. Wrong passwords are not
remembered. Equal checks under way are one.
"""

import asyncio
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from edgerouter.middleware import htpasswd

THREADS = 2
LONGEST_QUEUE = 64
"""Checks that may be under way or wait, in one process."""
MEMORY = 4096
"""Pairs remembered per process."""
NICENESS = 19
"""Requests do not notice checks on a core that has time left, and checks lose nothing there. Of one
that has none they get a seventieth; that is not nothing, so Linux's policy for idle time is not
for them: whoever waits for Python's lock waits for the thread that holds it."""

_KEY = os.urandom(32)


def _stand_back() -> None:
    """Let requests go before the calling thread; Linux has a priority for each."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class Busy(Exception):
    """Too many checks are waiting."""


class PasswordCheck:
    """The checks of one process."""

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def key(self, user: str, password: bytes, secret: str) -> bytes:
        """Return what a pair is remembered by."""
        digest = hashlib.blake2b(key=_KEY, digest_size=32)
        for part in (
            user.encode("utf-8", "surrogateescape"),
            secret.encode("utf-8", "surrogateescape"),
        ):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update(password)
        return digest.digest()

    def remembers(self, key: bytes) -> bool:
        """Tell whether this pair was right before."""
        return key in self._known

    async def check(self, key: bytes, password: bytes, secret: str) -> bool:
        """Tell whether ``secret`` is the hash of ``password``.

        Raises:
            Busy: Too many checks are waiting.
        """
        pending = self._under_way.get(key)
        if pending is None:
            if len(self._under_way) >= LONGEST_QUEUE:
                raise Busy
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "password", _stand_back)
            loop = asyncio.get_running_loop()
            pending = loop.run_in_executor(self._threads, htpasswd.check, password, secret)
            self._under_way[key] = pending
            pending.add_done_callback(lambda _: self._under_way.pop(key, None))
        is_right = await asyncio.shield(pending)
        if is_right:
            self._remember(key)
        return is_right

    def _remember(self, key: bytes) -> None:
        if len(self._known) >= MEMORY:
            del self._known[next(iter(self._known))]
        self._known[key] = None


CHECKS = PasswordCheck()
"""The checks of this process, for all middlewares together."""
