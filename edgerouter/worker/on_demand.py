"""Asks the control plane for certificates that clients need and no snapshot has yet.

Handshakes for one name wait for one answer. The control plane limits and remembers what it
refuses; here only the number of names that are waited for is limited.
"""

import asyncio
from collections.abc import Callable

from edgerouter.tls.selection import Certificates

MAX_WAITING = 1000
"""Names; clients that ask for more get the default certificate at once."""


class OnDemand:
    """The questions of one worker; ``ask`` sends one."""

    def __init__(self, certificates: Certificates, ask: Callable[[str], None]) -> None:
        self._certificates = certificates
        self._ask = ask
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def __call__(self, name: str) -> "asyncio.Future[None] | None":
        """Return what is done once a certificate for ``name`` is there or refused.

        None: there is nothing to wait for.
        """
        if not name or self._certificates.find(name) is not None:
            return None
        waiting = self._waiting.get(name)
        if waiting is None and len(self._waiting) < MAX_WAITING:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
            self._ask(name)
        return waiting

    def answered(self, name: str) -> None:
        """Let handshakes for ``name`` go on, with what there is now."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.set_result(None)
