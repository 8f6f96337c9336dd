"""Addresses of proxies that may say who the client is: by name, by network, from files.

The shipped lists (``proxy_ranges.json``) are those the providers publish; files
with newer ones, one network per line, are read again when they change. One that cannot be
used then, or is empty, changes nothing.
"""

import json
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

from edgerouter.config.content import read_regular
from edgerouter.middleware.addresses import AddressSet
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.source_criterion import networks

DEFAULT_HEADERS = {"cloudflare": "CF-Connecting-IP", "fastly": "Fastly-Client-IP"}
"""The header in which each provider names the client."""
CHECK_INTERVAL = 5.0
"""Seconds between two looks at the files."""

_log = logging.getLogger(__name__)


@cache
def shipped() -> dict[str, Any]:
    """Return the shipped lists: per name its ``networks`` and the ``urls`` of newer ones."""
    loaded: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return loaded


class TrustedProxies:
    """Can be asked whether an address is a trusted proxy's."""

    def __init__(self, entries: Sequence[str], clock: Callable[[], float] = monotonic) -> None:
        """Read everything.

        Raises:
            BuildError: An entry is neither a known name nor a network nor a readable file.
        """
        self._entries = [entry.strip() for entry in entries]
        self._files = [Path(entry) for entry in self._entries if entry.startswith("/")]
        self._clock = clock
        self._next = clock() + CHECK_INTERVAL
        try:
            self._marks = self._seen()
            self._addresses = self._read()
        except (OSError, ValueError) as error:
            raise BuildError(f"trusted: {error}") from None

    def holds(self, address: str) -> bool:
        """Tell whether ``address`` is a trusted proxy's."""
        if self._files and (now := self._clock()) >= self._next:
            self._next = now + CHECK_INTERVAL
            self._refresh()
        return address in self._addresses

    def _seen(self) -> list[tuple[int, int]]:
        stats = [path.stat() for path in self._files]
        return [(status.st_mtime_ns, status.st_ino) for status in stats]

    def _refresh(self) -> None:
        try:
            marks = self._seen()
            if marks != self._marks:
                self._marks = marks
                self._addresses = self._read()
        except (OSError, UnicodeDecodeError, BuildError) as error:
            _log.error("Trusted proxies stay as they were, their file cannot be used: %s", error)

    def _read(self) -> AddressSet:
        found = []
        for entry in self._entries:
            if entry.lower() in shipped():
                found += networks(shipped()[entry.lower()]["networks"], "trusted")
            elif entry.startswith("/"):
                lines = _lines(entry)
                if not lines:  # Perhaps it is just being written, or could not be fetched.
                    raise BuildError(f"trusted: {entry} holds no network; remove it, or fill it")
                found += networks(lines, f"trusted: {entry}")
            elif entry[:1].isalpha() and ":" not in entry:
                known = ", ".join(shipped())
                raise BuildError(f"trusted: {entry!r} is not known; write {known} or networks")
            else:
                found += networks([entry], "trusted")
        return AddressSet(found)


def _lines(path: str) -> list[str]:
    text = read_regular(path).decode()
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
