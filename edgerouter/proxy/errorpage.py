"""Answers the router gives itself, in Traefik's words."""

from edgerouter.http import reasons
from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Response

_PLAIN = [
    (b"Content-Type", b"text/plain; charset=utf-8"),
    (b"X-Content-Type-Options", b"nosniff"),
]


def reason(status: int) -> str:
    """Return the reason phrase of ``status``; 499 is nginx's word for a client that left."""
    return "Client Closed Request" if status == 499 else reasons.reason(status)


def error_response(status: int, text: str = "") -> Response:
    """Return a response of the router's own with ``text``, or the reason phrase, as its body.

    With a text of its own the answer says what it is, as Go's ``http.Error`` does.
    """
    headers = Headers(_PLAIN) if text else Headers()
    headers.append((b"Date", http_date()))
    return Response(status, headers, FixedBody((text or reason(status)).encode()))


def explained(error: ExchangeError) -> Response:
    """Return a response that says what is wrong with the client's request."""
    return error_response(error.status, f"{error.status} {type(error).__name__}: {error}\n")
