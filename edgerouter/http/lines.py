"""Field lines of heads, read once and then known.

Peers repeat themselves: nearly every field line has come before, on this connection or on
another. What a line says is remembered by its bytes, as HTTP/2 has it done by the peers
(RFC 7541). The memory is bounded, and credentials are not kept in it.
"""

from typing import Final

from edgerouter.http import fields

ENTRIES = 4096
LONGEST = 512
"""Bytes of a line that is remembered."""
NAMES = 1024
LONGEST_NAME = 64

_NAME = b"!#$%&'*+.^_`|~-" + bytes(c for c in range(128) if chr(c).isalnum())
_VALUE = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))


class Line:
    """What a field line says."""

    __slots__ = ("kind", "pair")

    def __init__(self, kind: int, pair: tuple[bytes, bytes]) -> None:
        self.kind = kind
        """As ``fields`` has it."""
        self.pair = pair
        """Name and value."""


class _Name:
    """What follows from the name of a field."""

    __slots__ = ("is_secret", "kind")

    def __init__(self, kind: int, *, is_secret: bool) -> None:
        self.kind = kind
        self.is_secret = is_secret


_seen: dict[bytes, Line] = {}
_names: dict[bytes, _Name] = {}

SEEN: Final[dict[bytes, Line]] = _seen
"""The memory behind ``line_of``, for loops that cannot afford the call."""


def line_of(line: bytes) -> Line | None:
    """Return what a field line says, without its line end; None when it is not `name: value`.

    RFC 9112, section 5: no space before the colon, no folding, no control characters.
    """
    known = _seen.get(line)
    return learn(line) if known is None else known


def learn(line: bytes) -> Line | None:
    """Read a line and remember it."""
    text, colon, value = line.partition(b":")
    name = _names.get(text) or _learn_name(text)
    if not colon or name is None or value.translate(None, _VALUE):
        return None
    found = Line(name.kind, (text, value.strip(b" \t")))
    if not name.is_secret and len(line) <= LONGEST:
        if len(_seen) >= ENTRIES:
            _seen.clear()
        _seen[line] = found
    return found


def _learn_name(text: bytes) -> _Name | None:
    """Return what follows from the name of a field, None if it is none."""
    if not text or text.translate(None, _NAME):
        return None
    name = _Name(fields.kind(text), is_secret=text.lower() in _SECRET)
    if len(text) <= LONGEST_NAME:
        if len(_names) >= NAMES:
            _names.clear()
        _names[text] = name
    return name
