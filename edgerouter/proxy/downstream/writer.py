"""Response heads on the wire (RFC 9112, section 4)."""

from http import HTTPStatus

from edgerouter.http.message import Response
from edgerouter.proxy.errorpage import reason

_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {reason(status)}\r\n".encode()
    for status in [*(s.value for s in HTTPStatus), 499]
}
BODILESS = frozenset((204, 304))
"""Statuses of answers that have no content (RFC 9110, section 6.4.1)."""
_join_pair = b": ".join


def response_head(
    response: Response, method: str, version: tuple[int, int], *, keep_alive: bool
) -> bytes:
    """Return the head of ``response`` with framing and connection fields.

    The length of the body decides the framing; a body without length is
    chunked on HTTP/1.1 and ends with the connection on HTTP/1.0.
    """
    status = response.status
    lines = [b"\r\n".join(map(_join_pair, response.headers))]
    if lines[0] == b"":
        lines = []
    if response.tunnel is not None:
        pass
    elif (length := response.body.length) is not None:
        if length or status not in BODILESS:
            lines.append(b"Content-Length: %d" % length)
    elif method != "HEAD" and status not in BODILESS and version >= (1, 1):
        lines.append(b"Transfer-Encoding: chunked")
    if not keep_alive:
        lines.append(b"Connection: close")
    elif version < (1, 1):
        lines.append(b"Connection: keep-alive")
    lines.append(b"\r\n")
    status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return status_line + b"\r\n".join(lines)
