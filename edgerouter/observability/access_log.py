"""One line per finished request, in Traefik's formats and field names.

What to keep is decided once, in the constructor; ``log`` runs per request.
Whether a router is logged at all is the caller's decision (``observability``).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.observability.access_format import encoder
from edgerouter.observability.logs import fields
from edgerouter.observability.output import Output

_STDOUT = 1
_LONGEST_DELAY = 1.0
"""Seconds a line may stay in the buffer."""

log = logging.getLogger(__name__)


class AccessLog:
    """Formats, filters and writes the access log of one process.

    ``RequestCount`` counts the requests of this process, not of all workers.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Prepare for the static options ``accessLog``; problems are logged, never raised."""
        self._internals = bool(options.get("addInternals"))
        self._buffering: int = options.get("bufferingSize") or 0
        self._buffer: list[bytes] = []
        self._count = 0
        self._keeps = _filter(options.get("filters") or {})
        self._encode = encoder(options)
        self._failed = False
        self._output: Output | None = None
        self._path: str = options.get("filePath") or ""
        try:
            self._output = Output(self._path, _STDOUT)
        except OSError as error:
            log.error(
                "Cannot open the access log, requests are not logged",
                extra=fields(option="accessLog.filePath", error=str(error)),
            )

    def log(
        self, peer: Peer, exchange: Exchange, request: Request | None, headers: Headers
    ) -> None:
        """Write the line of a finished exchange.

        ``request`` is None when its head could not be understood; ``headers``
        are those of the response as it was sent.
        """
        self._count += 1
        if self._output is None:
            return
        if not self._internals and exchange.service.endswith("@internal"):
            return
        duration = time.time() - exchange.start
        if not self._keeps(exchange, duration):
            return
        self._emit(self._encode(peer, exchange, request, headers, self._count, duration))

    def _emit(self, line: bytes) -> None:
        if not self._buffering:
            self._write(line)
            return
        self._buffer.append(line)
        if len(self._buffer) >= self._buffering:
            self.flush()
        elif len(self._buffer) == 1:
            asyncio.get_running_loop().call_later(_LONGEST_DELAY, self.flush)

    def flush(self) -> None:
        """Write the buffered lines."""
        if self._buffer:
            data = b"".join(self._buffer)
            self._buffer.clear()
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._output is None:
            return
        if lost := self._output.take_lost():
            log.warning("Access log lines were lost: nobody read them", extra=fields(lines=lost))
        try:
            self._output.write(data)
        except OSError as error:
            self._fail(error)
        else:
            self._failed = False

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            log.error(
                "Cannot write the access log, lines are lost",
                extra=fields(option="accessLog.filePath", error=str(error)),
            )
        self._failed = True

    def reopen(self) -> None:
        """Open the file anew (SIGUSR1), also after a failure to open it."""
        self.flush()
        try:
            if self._output is None:
                self._output = Output(self._path, _STDOUT)
            else:
                self._output.reopen()
        except OSError as error:
            log.error(
                "Cannot reopen the access log",
                extra=fields(option="accessLog.filePath", error=str(error)),
            )

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self.flush()
        if self._output is not None:
            try:
                self._output.close()
            except OSError as error:
                self._fail(error)
            self._output = None


def _filter(options: Mapping[str, Any]) -> Callable[[Exchange, float], bool]:
    """Return the test that decides whether a request is logged; its parts are alternatives."""
    codes = _status_codes(options.get("statusCodes") or ())
    retries = bool(options.get("retryAttempts"))
    minimum: float = options.get("minDuration") or 0.0
    if not codes and not retries and not minimum:
        return lambda _exchange, _duration: True

    def keeps(exchange: Exchange, duration: float) -> bool:
        return (
            exchange.status in codes
            or (retries and exchange.retries > 0)
            or (minimum > 0 and duration > minimum)
        )

    return keeps


def _status_codes(texts: Iterable[str]) -> frozenset[int]:
    codes: set[int] = set()
    for text in texts:
        first, dash, last = str(text).partition("-")
        low, high = first.strip(), (last if dash else first).strip()
        if _is_code(low) and _is_code(high):
            codes.update(range(int(low), int(high) + 1))
        else:
            log.error(
                "Not a status code or range, ignored",
                extra=fields(option="accessLog.filters.statusCodes", value=text, example="200-299"),
            )
    return frozenset(codes)


def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdecimal()
