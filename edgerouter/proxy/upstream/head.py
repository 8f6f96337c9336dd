"""Response heads of servers, sorted into what goes on and what belongs to this hop."""

from collections.abc import Iterable

from edgerouter.http import fields
from edgerouter.http.date import http_date
from edgerouter.http.errors import UpstreamProtocolError
from edgerouter.http.headers import Headers, tokens

KEEP_ALIVE = [b"keep-alive"]
"""What nearly all servers say; on HTTP/1.1 it means nothing."""
_SEEN = fields.KINDS_SEEN


class ResponseHead:
    """The fields for the client, and the framing of the body."""

    __slots__ = ("chunked", "headers", "keep_alive", "length", "upgrade")

    def __init__(self, *, keep_alive: bool) -> None:
        self.headers = Headers()
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = keep_alive
        self.upgrade = b""


def read_head(version: tuple[int, int], raw_headers: Iterable[tuple[bytes, bytes]]) -> ResponseHead:
    """Sort the fields of a final response; ``Date`` is added when it is missing.

    Raises:
        UpstreamProtocolError: The body's framing is one we do not know.
    """
    head = ResponseHead(keep_alive=version >= (1, 1))
    append = head.headers.append
    dated = False
    hop: list[bytes] = []
    for pair in raw_headers:
        kind = _SEEN.get(pair[0])
        if kind is None:
            kind = fields.classify(pair[0])
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
    if hop and (hop != KEEP_ALIVE or not head.keep_alive):
        _apply_connection(head, hop)
    if not dated:
        head.headers.append((b"Date", http_date()))
    return head


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


def with_single_length(head: bytes) -> bytes:
    """Return ``head`` with equal ``Content-Length`` fields made one; it is as it was otherwise."""
    lines = head.split(b"\r\n")
    found = [line for line in lines if line.lower().startswith(b"content-length:")]
    if len(found) < 2 or len({line.partition(b":")[2].strip(b" \t") for line in found}) > 1:
        return head
    first = lines.index(found[0])
    kept = [line for n, line in enumerate(lines) if n == first or line not in found]
    return b"\r\n".join(kept)
