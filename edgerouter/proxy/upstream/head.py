"""Response heads of servers, sorted into what goes on and what belongs to this hop."""

import re
from collections.abc import Iterable

from edgerouter.http import fields, lines
from edgerouter.http.date import http_date
from edgerouter.http.errors import UpstreamProtocolError
from edgerouter.http.headers import Headers, tokens

KEEP_ALIVE = [b"keep-alive"]
"""What nearly all servers say; on HTTP/1.1 it means nothing."""
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
_STATUS_LINES = 1024
_statuses: dict[bytes, int] = {}


class ResponseHead:
    """Status, the fields for the client, and the framing of the body."""

    __slots__ = ("chunked", "headers", "keep_alive", "length", "status", "upgrade")

    def __init__(self, status: int, *, keep_alive: bool) -> None:
        self.status = status
        self.headers = Headers()
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = keep_alive
        self.upgrade = b""


def read_common(text: bytes) -> ResponseHead | None:
    """Return what a final head says, with the empty line at its end, if it is a common one.

    Takes a part of what aiohttp's parser takes, and reads it alike, which a test sees to.
    """
    if not text.endswith(b"\r\n\r\n"):
        return None
    found = text[:-4].split(b"\r\n")
    first = found[0]
    head = ResponseHead(_statuses.get(first) or _learn_status(first), keep_alive=True)
    if not head.status:
        return None
    headers: list[tuple[bytes, bytes]] = head.headers
    dated = False
    hop: list[bytes] = []
    seen = lines.SEEN
    for number in range(1, len(found)):
        line = seen.get(found[number])
        if line is None:
            line = lines.learn(found[number])
            if line is None:
                return None
        kind = line.kind
        if not kind or kind >= fields.FORWARDED:
            headers.append(line.pair)
            if kind == fields.DATE:
                dated = True
        elif kind == fields.CONNECTION:
            hop.append(line.pair[1])
        elif not _frames_commonly(head, kind, line.pair[1]):
            return None
    _finish(head, hop, dated=dated)
    return head


def _frames_commonly(head: ResponseHead, kind: int, value: bytes) -> bool:
    """Take in a field that may say what follows the head; False leaves the head to the parser."""
    if kind == fields.CONTENT_LENGTH:
        if head.chunked or head.length is not None or _LENGTH(value) is None:
            return False
        head.length = int(value)
    elif kind == fields.TRANSFER_ENCODING:
        if head.chunked or head.length is not None or value.lower() != b"chunked":
            return False
        head.chunked = True
    return kind != fields.UPGRADE


def _learn_status(line: bytes) -> int:
    """Return the status in a line, 0 for what the parser has to look at."""
    match = _STATUS_LINE(line)
    if match is None:
        return 0
    status = int(match[1])
    if len(line) <= lines.LONGEST:
        if len(_statuses) >= _STATUS_LINES:
            _statuses.clear()
        _statuses[line] = status
    return status


def read_head(
    status: int, version: tuple[int, int], raw_headers: Iterable[tuple[bytes, bytes]]
) -> ResponseHead:
    """Sort the fields of a final response; ``Date`` is added when it is missing.

    Raises:
        UpstreamProtocolError: The body's framing is one we do not know.
    """
    head = ResponseHead(status, keep_alive=version >= (1, 1))
    append = head.headers.append
    dated = False
    hop: list[bytes] = []
    for pair in raw_headers:
        kind = fields.kind(pair[0])
        if not kind or kind >= fields.FORWARDED:
            append(pair)
            if kind == fields.DATE:
                dated = True
        elif kind == fields.CONTENT_LENGTH:
            head.length = int(pair[1])
        elif kind == fields.CONNECTION:
            hop.append(pair[1])
        elif kind == fields.UPGRADE:
            head.upgrade = pair[1]
        elif kind == fields.TRANSFER_ENCODING:
            if pair[1].strip().lower() != b"chunked":
                message = f"the server uses the transfer coding {pair[1][:40]!r}"
                raise UpstreamProtocolError(message)
            head.chunked = True
    _finish(head, hop, dated=dated)
    return head


def _finish(head: ResponseHead, hop: list[bytes], *, dated: bool) -> None:
    if hop and (hop != KEEP_ALIVE or not head.keep_alive):
        _apply_connection(head, hop)
    if not dated:
        head.headers.append((b"Date", http_date()))


def _apply_connection(head: ResponseHead, values: list[bytes]) -> None:
    """Obey ``Connection`` (RFC 9110, section 7.6.1): what it lists is for this hop."""
    listed = [token for value in values for token in tokens(value)]
    if b"close" in listed:
        head.keep_alive = False
    elif b"keep-alive" in listed:
        head.keep_alive = True
    named = [name for name in listed if name not in (b"close", b"keep-alive", b"upgrade")]
    if named:
        head.headers = head.headers.without(*named)


def end_to_end(raw_headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the fields of an interim response that go on to the client."""
    return Headers(
        [p for p in raw_headers if not (k := fields.kind(p[0])) or k >= fields.FORWARDED]
    )


def repaired(head: bytes) -> bytes:
    """Return ``head`` with one framing where it can be told; it is as it was otherwise.

    Equal ``Content-Length`` fields become one (RFC 9110, section 8.6). Beside a transfer coding
    they go, and the connection ends with the answer (RFC 9112, section 6.3).
    """
    lines = head.split(b"\r\n")
    found = [line for line in lines if line.lower().startswith(b"content-length:")]
    if not found:
        return head
    first = lines.index(found[0])
    if any(line.lower().startswith(b"transfer-encoding:") for line in lines):
        lines[first] = b"Connection: close"
    elif len({line.partition(b":")[2].strip(b" \t") for line in found}) > 1:
        return head
    return b"\r\n".join(line for n, line in enumerate(lines) if n == first or line not in found)
