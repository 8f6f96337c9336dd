"""Ranges of statuses in options, and what a failure looks like as an answer."""

import re
from collections.abc import Iterable

from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Response
from edgerouter.http.reasons import reason
from edgerouter.middleware.base import BuildError

_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?").fullmatch
_PLAIN = [
    (b"Content-Type", b"text/plain; charset=utf-8"),
    (b"X-Content-Type-Options", b"nosniff"),
]


def statuses(option: str, ranges: Iterable[str]) -> frozenset[int]:
    """Return the statuses of ``ranges`` such as ``404`` and ``500-599``.

    Raises:
        BuildError: One is no range; the message names ``option``.
    """
    found: set[int] = set()
    for text in ranges:
        match = _RANGE(text.strip())
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise BuildError(f'{option}: "{text}" is not a status such as 404 or 500-599')
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def plain(status: int) -> Response:
    """Return an answer with the reason phrase."""
    return Response(status, Headers([(b"Date", http_date())]), FixedBody(reason(status).encode()))


def failure(error: ExchangeError, status: int) -> Response:
    """Return what a client would see of ``error``, with another ``status``."""
    headers = Headers(_PLAIN) if error.page else Headers()
    headers.append((b"Date", http_date()))
    body = (error.page or reason(error.status)).encode()
    return Response(status, headers, FixedBody(body))
