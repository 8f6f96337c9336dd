"""Asks the control plane for certificates that clients need and no snapshot has yet.

Handshakes for one name wait for one answer. The control plane limits and remembers what it
refuses; here only the number of names that are waited for is limited.
"""

import asyncio
from typing import Protocol

from edgerouter.tls.selection import Certificates

MAX_WAITING = 1000
"""Names; clients that ask for more get the default certificate at once."""

MAX_TOLD = 10_000
"""Names; with more, the control plane is told once more of each."""

USE_INTERVAL = 6 * 3600.0
"""Seconds after which the control plane is told again that a name is used."""


class Ask(Protocol):
    """Sends a question to the control plane, or tells it that a certificate is used."""

    def __call__(self, name: str, *, used: bool = False) -> None: ...


class OnDemand:
    """The questions of one worker; ``ask`` sends one."""

    def __init__(self, certificates: Certificates, ask: Ask) -> None:
        self._certificates = certificates
        self._ask = ask
        self._told: dict[str, float] = {}
        """When the control plane was last told that a name is used."""
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def __call__(self, name: str) -> "asyncio.Future[None] | None":
        """Return what is done once a certificate for ``name`` is there or refused.

        None: there is nothing to wait for.
        """
        if not name:
            return None
        if self._certificates.find(name) is not None:
            self._note_use(name)
            return None
        waiting = self._waiting.get(name)
        if waiting is None and len(self._waiting) < MAX_WAITING:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
            self._ask(name)
        return waiting

    def _note_use(self, name: str) -> None:
        if not self._certificates.has(name):
            return  # Under a wildcard clients could ask for any number of names.
        now = asyncio.get_running_loop().time()
        if now - self._told.get(name, -USE_INTERVAL) >= USE_INTERVAL:
            if len(self._told) >= MAX_TOLD:
                self._told.clear()
            self._told[name] = now
            self._ask(name, used=True)

    def answered(self, name: str) -> None:
        """Let handshakes for ``name`` go on, with what there is now."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.set_result(None)
