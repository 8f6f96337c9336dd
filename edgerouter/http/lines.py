"""Field lines of heads, read once and then known.

Peers repeat themselves: nearly every field line has come before, on this connection or on
another. What a line says is remembered by its bytes, as HTTP/2 has it done by the peers
(RFC 7541). The memory is bounded, and credentials are not kept in it. Lines of ``Host`` are
counted apart: there is room for as many as hosts are served, so that they do not push each
other out, nor the others.
"""

from typing import Final

from edgerouter.http import fields

ENTRIES = 4096
LONGEST = 512
"""Bytes of a line that is remembered."""
NAMES = 1024
LONGEST_NAME = 64
FEWEST_HOSTS = 256
"""Values of ``Host`` that there is room for, however few are served."""

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

    __slots__ = ("is_secret", "kind", "text")

    def __init__(self, text: bytes, kind: int, *, is_secret: bool) -> None:
        self.text = text
        self.kind = kind
        self.is_secret = is_secret


class _Hosts:
    """The lines of ``Host`` in the memory."""

    __slots__ = ("most", "seen")

    def __init__(self) -> None:
        self.most = FEWEST_HOSTS
        self.seen: list[bytes] = []


_seen: dict[bytes, Line] = {}
_names: dict[bytes, _Name] = {}
_hosts: Final = _Hosts()

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
    found = Line(name.kind, (name.text, value.strip(b" \t")))
    if not name.is_secret and len(line) <= LONGEST:
        if name.kind == fields.HOST:
            _make_room_for_host()
            _hosts.seen.append(line)
        elif len(_seen) - len(_hosts.seen) >= ENTRIES:
            _seen.clear()
            _hosts.seen.clear()
        _seen[line] = found
    return found


def serve_hosts(count: int) -> int:
    """Make room for as many hosts as are served; return how many values of ``Host`` there fit."""
    # Twice: a host may come with and without its port.
    _hosts.most = max(FEWEST_HOSTS, 2 * count)
    return _hosts.most


def _make_room_for_host() -> None:
    if len(_hosts.seen) >= _hosts.most:
        for line in _hosts.seen:
            del _seen[line]
        _hosts.seen.clear()


def _learn_name(text: bytes) -> _Name | None:
    """Return what follows from the name of a field, None if it is none."""
    if not text or text.translate(None, _NAME):
        return None
    name = _Name(text, fields.kind(text), is_secret=text.lower() in _SECRET)
    if len(text) <= LONGEST_NAME:
        if len(_names) >= NAMES:
            _names.clear()
        _names[text] = name
    return name
