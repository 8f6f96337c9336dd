"""Response heads on the wire (RFC 9112, section 4)."""

from collections.abc import Iterable
from http import HTTPStatus

from edgerouter.http.canonical import canonical
from edgerouter.http.date import http_date
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.proxy.errorpage import explained, reason

_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {reason(status)}\r\n".encode()
    for status in [*(s.value for s in HTTPStatus), 499]
}
BODILESS = frozenset((204, 304))
"""Statuses of answers that have no content (RFC 9110, section 6.4.1)."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def response_head(
    response: Response, method: str, version: tuple[int, int], *, keep_alive: bool
) -> bytes:
    """Return the head of ``response`` with framing and connection fields.

    The length of the body decides the framing; a body without length is
    chunked on HTTP/1.1 and ends with the connection on HTTP/1.0.
    """
    status = response.status
    parts = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    fields: list[tuple[bytes, bytes]] = response.headers
    for name, value in fields:
        parts.append(name)
        parts.append(b": ")
        parts.append(value)
        parts.append(b"\r\n")
    if response.tunnel is not None:
        pass
    elif (length := response.body.length) is not None:
        if status not in BODILESS:
            parts.append(b"Content-Length: %d\r\n" % length)
    elif method != "HEAD" and status not in BODILESS and version >= (1, 1):
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if not keep_alive:
        parts.append(b"Connection: close\r\n")
    elif version < (1, 1):
        parts.append(b"Connection: keep-alive\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def response_head_as_traefik(
    response: Response,
    method: str,
    version: tuple[int, int],
    *,
    keep_alive: bool,
    said_length: int | None = None,
    is_guessed: bool = False,
) -> bytes:
    """Return the head as Go's server writes it: what it was given by its name, then its own.

    HTTP/1.0 is answered in its own version, and of a 304 no type is said. ``said_length`` is
    ``Exchange.said_length``; a type that ``is_guessed`` is Go's own.
    """
    status, length = response.status, response.body.length
    old = version < (1, 1)
    fields = canonical(response.headers.without(b"content-type" if status == 304 else b""))
    own: list[tuple[bytes, bytes]] = []
    if said_length is None:
        own = [pair for pair in fields if pair[0] == b"Date"]
        fields = fields.without(b"date")
    has_content = response.tunnel is None and status not in BODILESS
    if has_content and length is not None:
        (fields if length == said_length else own).append((b"Content-Length", b"%d" % length))
    if is_guessed and not fields.has(b"content-encoding"):  # Who compresses guesses, too.
        own += [pair for pair in fields if pair[0] == b"Content-Type"]
        fields = fields.without(b"content-type")
    if keep_alive and old:
        own.append((b"Connection", b"keep-alive"))
    elif not keep_alive and not old:
        own.append((b"Connection", b"close"))
    if has_content and length is None and method != "HEAD" and not old:
        own.append((b"Transfer-Encoding", b"chunked"))
    fields.sort(key=_name)
    return _gos_status_line(status, old=old) + _lines(fields) + _lines(own) + b"\r\n"


def interim_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an interim response (RFC 9110, section 15.2)."""
    status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return status_line + _lines(headers) + b"\r\n"


def interim_head_as_traefik(
    status: int, headers: Iterable[tuple[bytes, bytes]], *, old: bool
) -> bytes:
    """Return an interim response as Go's server sends it, also to ``old`` clients."""
    return (
        _gos_status_line(status, old=old) + _lines(sorted(canonical(headers), key=_name)) + b"\r\n"
    )


def ignore_interim(status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send a client of HTTP/1.0 nothing: it knows no interim responses."""


def chunk(data: bytes) -> bytes:
    """Return ``data`` in chunked coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the end of a chunked body."""
    return b"0\r\n" + _lines(trailers) + b"\r\n"


def ready_content(request: Request, response: Response) -> bytes | None:
    """Return the content to send if all of it is there, none for answers that have none."""
    if request.method == "HEAD" or response.status in BODILESS:
        return b""
    return None if response.body.length is None else response.body.ready()


def refusal(error: ExchangeError, *, as_traefik: bool = False) -> bytes:
    """Return the whole answer to a request that is not served; the connection ends with it."""
    if as_traefik:
        return _refusal_as_traefik(error)
    response = explained(error)
    return response_head(response, "GET", (1, 1), keep_alive=False) + (response.body.ready() or b"")


def _refusal_as_traefik(error: ExchangeError) -> bytes:
    if error.as_traefik is None:
        response = Response(error.status, Headers([(b"Date", http_date())]))
        return response_head_as_traefik(response, "GET", (1, 1), keep_alive=False)
    line = f"{error.status} {reason(error.status)}"
    text = error.as_traefik or line
    if text.startswith(line):  # What Go has to say stands in the status line, too.
        line = text
    fields = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    return f"HTTP/1.1 {line}\r\n{fields}{text}".encode()


def _gos_status_line(status: int, *, old: bool) -> bytes:
    line = _STATUS_LINES.get(status) if status != 499 else None  # That is nginx's, unknown to Go.
    line = line or b"HTTP/1.1 %d status code %d\r\n" % (status, status)
    return line.replace(b"HTTP/1.1", b"HTTP/1.0", 1) if old else line


def _name(pair: tuple[bytes, bytes]) -> bytes:
    return pair[0]


def _lines(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in pairs])
