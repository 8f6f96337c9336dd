"""Says in the log why services have no server, a few lines however many requests fail."""

import logging
from time import monotonic

from edgerouter.observability.logs import fields

REPEAT = 60.0
"""Seconds until something is said again of the same service."""
MOST_REMEMBERED = 1000

_log = logging.getLogger(__name__)
_said: dict[str, tuple[float, int]] = {}
"""When it was said of a service for the last time, and how many requests have failed since."""


def note(service: str, reason: str) -> None:
    """Note that a request to ``service`` was answered 503, for this ``reason``."""
    now = monotonic()
    last, silent = _said.get(service, (float("-inf"), 0))
    if now - last < REPEAT:
        _said[service] = last, silent + 1
        return
    if len(_said) >= MOST_REMEMBERED:
        _said.clear()
    _said[service] = now, 0
    more = {"notLogged": silent} if silent else {}
    _log.warning("No server can be asked", extra=fields(serviceName=service, reason=reason, **more))
