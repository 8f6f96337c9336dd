"""Says in the log what keeps requests from being answered: a few lines, however many they are."""

import logging
from collections.abc import Hashable
from time import monotonic

from edgerouter.http.errors import ExchangeError, HandshakeFailed, NoServer
from edgerouter.http.message import Exchange
from edgerouter.http.urls import without_credentials
from edgerouter.observability.logs import fields

REPEAT = 60.0
"""Seconds until the same is said again."""
MOST_REMEMBERED = 1000

MORE_FILES = "allow more open files (ulimit -n, LimitNOFILE in systemd, ulimits in compose)"
"""What to do when the limit of file descriptors is reached."""

MORE_ROOM = "make room in the directory for temporary files, or name another one in TMPDIR"
"""What to do when there is no place for a body."""

_log = logging.getLogger(__name__)
_said: dict[Hashable, tuple[float, int]] = {}
"""When something was said for the last time, and how often it has not been said since."""


def not_answered(exchange: Exchange, error: ExchangeError) -> None:
    """Note that no server has answered, whatever the client gets in the place of an answer."""
    if isinstance(error, NoServer):
        service = exchange.service
        _say(service, "No server can be asked", serviceName=service, reason=str(error))
    else:
        server_failed(exchange, error)


def server_failed(exchange: Exchange, error: ExchangeError) -> None:
    """Note that the server of ``exchange`` has failed.

    Without a service who has asked says it, as health checks do; of TLS the pool tells.
    """
    told = error.noted or isinstance(error, HandshakeFailed)
    if error.source == "upstream" and exchange.service and not told:
        error.noted = True
        key = (exchange.service, exchange.server, type(error))
        url = without_credentials(exchange.server)
        service = exchange.service
        _say(key, "A server failed", serverURL=url, serviceName=service, reason=str(error))


def helper_failed(middleware: str, url: str, reason: str) -> None:
    """Note that a server has failed that a middleware asks, such as one for authentication."""
    message = "The server of a middleware failed"
    url = without_credentials(url)
    _say((middleware, url), message, middlewareName=middleware, serverURL=url, reason=reason)


def not_spooled(reason: str) -> None:
    """Note that a body which is too large for memory could not be kept in a file."""
    message = "A temporary file cannot be written: requests fail"
    _say(MORE_ROOM, message, reason=reason, remedy=MORE_ROOM)


def files_run_out(limit: int, connections: int) -> None:
    """Note that hardly any of the ``limit`` file descriptors is left."""
    message = "Open files run out: new connections fail when there are none left"
    _say(MORE_FILES, message, limit=limit, connections=connections, remedy=MORE_FILES)


def _say(key: Hashable, message: str, **more: str | int) -> None:
    """Log a warning, unless that was done for ``key`` a short while ago."""
    now = monotonic()
    last, silent = _said.get(key, (float("-inf"), 0))
    if now - last < REPEAT:
        _said[key] = last, silent + 1
        return
    if len(_said) >= MOST_REMEMBERED:
        _said.clear()
    _said[key] = now, 0
    counted = {"notLogged": silent} if silent else {}
    _log.warning(message, extra=fields(**more, **counted))
