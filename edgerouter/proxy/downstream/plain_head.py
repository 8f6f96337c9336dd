"""Request heads read in plain Python: the rare ones that aiohttp's C parser does not take.

The C parser knows registered methods and ASCII targets only. What it refuses for
that is read here, as strictly (RFC 9112, sections 2 to 6). With ``as_traefik``
the rules are those of Go's server, which repairs some of what RFC 9112 forbids.
"""

import re
from collections.abc import Callable

from edgerouter.http.errors import (
    BadRequest,
    HeadTooLarge,
    UnsupportedTransferCoding,
    UnsupportedVersion,
)
from edgerouter.http.headers import tokens

MAX_FIELDS = 500
"""Header fields in one head."""

_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9])\.([0-9])"
).fullmatch
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_NAME_OR_SPACES = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z -]+").fullmatch
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch

Pairs = list[tuple[bytes, bytes]]


class MissingHost(BadRequest):
    """An HTTP/1.1 request without ``Host`` (RFC 9112, section 3.2)."""

    as_traefik = "400 Bad Request: missing required Host header"


class InvalidName(BadRequest):
    """A field name with a space in it."""

    as_traefik = "400 Bad Request: invalid header name"


class PlainHead:
    """A head as aiohttp's parser would describe it."""

    __slots__ = ("method", "path", "raw_headers", "should_close", "version")

    def __init__(
        self, method: bytes, target: bytes, version: tuple[int, int], pairs: Pairs
    ) -> None:
        self.method = method.decode("ascii")
        self.path = target.decode("utf-8", "surrogateescape")
        self.version = version
        self.raw_headers = tuple(pairs)
        listed = [token for value in _all(pairs, b"connection") for token in tokens(value)]
        self.should_close = b"close" in listed if version >= (1, 1) else b"keep-alive" not in listed


def parse(head: bytes, *, as_traefik: bool = False) -> PlainHead:
    """Return what ``head``, which ends with an empty line, says.

    Raises:
        ExchangeError: It breaks RFC 9112, or has too many fields.
    """
    if as_traefik:
        head = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    match = _LINE(first)
    if match is None:
        message = f"the request line {first[:64]!r} is not 'method target HTTP/1.1'"
        raise BadRequest(message)
    method, target = match[1], match[2]
    version = (int(match[3]), int(match[4]))
    if len(lines) > MAX_FIELDS and not as_traefik:
        message = f"there are more than {MAX_FIELDS} header fields"
        raise HeadTooLarge(message)
    if as_traefik:
        pairs = _repaired(_fields(_unfolded(lines), _NAME_OR_SPACES), version, method)
    else:
        pairs = _fields(lines, _NAME)
        _check(pairs, version)
    return PlainHead(method, target, version, pairs)


def _fields(lines: list[bytes], is_name: Callable[[bytes], object]) -> Pairs:
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or is_name(name) is None:
            message = f"the header line {line[:64]!r} is not 'name: value'"
            raise BadRequest(message)
        if _VALUE(value) is None:
            message = f"the value of the field {name[:64]!r} holds a control character"
            raise BadRequest(message)
        pairs.append((name, value.strip(b" \t")))
    return pairs


def _check(pairs: Pairs, version: tuple[int, int]) -> None:
    """Refuse what two parsers may read in two ways.

    Raises:
        BadRequest: The version, ``Host`` or the framing is wrong.
    """
    if version not in ((1, 0), (1, 1)):
        message = "only HTTP/1.0 and HTTP/1.1 are spoken here"
        raise BadRequest(message)
    hosts = len(_all(pairs, b"host"))
    if hosts > 1 or (not hosts and version == (1, 1)):
        message = "there must be one Host field" + (", not several" if hosts else "")
        raise BadRequest(message)
    lengths, codings = _all(pairs, b"content-length"), _all(pairs, b"transfer-encoding")
    if lengths and codings:
        message = "Content-Length must not stand beside Transfer-Encoding"
        raise BadRequest(message)
    if len(lengths) > 1 or not all(_LENGTH(length) for length in lengths):
        message = "Content-Length must be one number"
        raise BadRequest(message)
    if len(codings) > 1 or (codings and tokens(codings[0]).count(b"chunked") > 1):
        message = "there must be one Transfer-Encoding"
        raise BadRequest(message)


# As Go's net/http reads a head.


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Join lines that go on in the next (RFC 9112, section 5.2, leaves that to us)."""
    joined: list[bytes] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            joined.append(line)
        elif not joined:
            message = "the first header line starts with a space"
            raise BadRequest(message)
        else:
            joined[-1] = joined[-1].rstrip(b" \t") + b" " + line.strip(b" \t")
    return joined


def _repaired(pairs: Pairs, version: tuple[int, int], method: bytes) -> Pairs:
    """Return ``pairs`` without what Go's server drops; refuse what it refuses."""
    hosts, lengths = _all(pairs, b"host"), _all(pairs, b"content-length")
    if len(hosts) > 1:
        message = "there must be one Host field, not several"
        raise BadRequest(message)
    if len(set(lengths)) > 1 or not all(_LENGTH(length) for length in lengths):
        message = "Content-Length must be one number"
        raise BadRequest(message)
    if version[0] != 1:
        raise UnsupportedVersion("only HTTP/1.0 and HTTP/1.1 are spoken here")
    if version >= (1, 1) and not hosts and method != b"CONNECT":
        raise MissingHost("an HTTP/1.1 request must have a Host field")
    if any(b" " in name for name, _ in pairs):
        raise InvalidName("a field name holds a space")
    codings = _all(pairs, b"transfer-encoding")
    if len(codings) > 1 and version >= (1, 1):
        raise UnsupportedTransferCoding("there must be one Transfer-Encoding")
    dropped = b"transfer-encoding" if version < (1, 1) else b"content-length" if codings else b""
    return [pair for pair in pairs if pair[0].lower() != dropped]


def _all(pairs: Pairs, name: bytes) -> list[bytes]:
    return [value for key, value in pairs if key.lower() == name]
