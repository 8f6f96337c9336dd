"""Answers that a middleware gives itself."""

from collections.abc import Callable, Sequence

from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.reasons import reason
from edgerouter.middleware.base import BuildError

TEXT_PLAIN = (b"Content-Type", b"text/plain; charset=utf-8")


def answer(status: int, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Return a response with ``body``, ``headers`` and a ``Date``."""
    return Response(status, Headers([*headers, (b"Date", http_date())]), FixedBody(body))


def http_error(status: int, text: str) -> Response:
    """Return what Go's ``http.Error`` writes: ``text`` and a line feed, never to be sniffed."""
    headers = (TEXT_PLAIN, (b"X-Content-Type-Options", b"nosniff"))
    return answer(status, text.encode() + b"\n", headers)


async def amended(
    handler: Handler,
    request: Request,
    change: Callable[[Headers], Headers],
    *,
    tunnels: bool = True,
) -> Response:
    """Return the answer of ``handler`` with a changed header, also where it fails.

    Without ``tunnels`` the head of a 101 stays as it is.
    """
    try:
        response = await handler(request)
    except ExchangeError as error:
        earlier = error.amend
        error.amend = change if earlier is None else lambda fields: change(earlier(fields))
        raise
    if tunnels or response.tunnel is None:
        response.headers = change(response.headers)
    return response


async def with_changed_page(
    handler: Handler, request: Request, change: Callable[[Response], None]
) -> Response:
    """Return the answer of ``handler``; where it fails the page will be changed.

    For ``edgerouter.compat=traefik``: otherwise pages of failures stay as they are.
    """
    try:
        return await handler(request)
    except ExchangeError as error:
        error.changes = (*error.changes, change)
        raise


def status_text(status: int, option: str) -> bytes:
    """Return the reason phrase of ``status``.

    Raises:
        BuildError: It is no registered status of an answer; the message names ``option``.
    """
    words = reason(status)
    if status < 200 or not words:
        raise BuildError(f"{option}: {status} is not an HTTP status such as 403")
    return words.encode()
