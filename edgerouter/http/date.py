"""The ``Date`` field."""

from time import time
from wsgiref.handlers import format_date_time

_date = (0, b"")


def http_date() -> bytes:
    """Return the current time as an IMF-fixdate (RFC 9110, section 5.6.7), made once a second."""
    global _date  # noqa: PLW0603 - one cached value per process
    now = int(time())
    if _date[0] != now:
        _date = (now, format_date_time(now).encode())
    return _date[1]
