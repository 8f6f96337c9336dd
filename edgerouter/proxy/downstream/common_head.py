"""Request heads read without a parser: the common ones, of which most lines have come before.

Takes a part of what aiohttp's parser takes, and reads it alike, which a test sees to; whatever is
special is left to that one.
"""

import re

from edgerouter.http import fields, lines
from edgerouter.http.headers import Headers
from edgerouter.http.lines import Line

_LINE = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*) HTTP/1\.1"
).fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
MAX_LINES = 100

_LEFT = frozenset((fields.TRANSFER_ENCODING, fields.UPGRADE, fields.EXPECT))
"""Kinds of fields that change how a message is read."""
_FIRST_LINES = 4096
_first_lines: dict[bytes, tuple[str, str]] = {}


class Head:
    """A request head with its fields sorted."""

    __slots__ = ("keep_alive", "method", "plain", "special", "target", "version")

    def __init__(
        self,
        method: str,
        target: str,
        version: tuple[int, int],
        *,
        keep_alive: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.keep_alive = keep_alive
        """Whether the client wants to go on after the answer."""
        self.plain = Headers()
        """The fields that just go on."""
        self.special: list[Line] = []
        """The others."""

    def add(self, pairs: tuple[tuple[bytes, bytes], ...]) -> None:
        """Sort ``pairs`` in."""
        for pair in pairs:
            kind = fields.kind(pair[0])
            if kind:
                self.special.append(Line(kind, pair))
            else:
                self.plain.append(pair)


def read(text: bytes) -> Head | None:
    """Return what a head says, without the empty line at its end; None when it is not common."""
    found = text.split(b"\r\n")
    if len(found) > MAX_LINES:
        return None
    first = found[0]
    known = _first_lines.get(first) or _learn_first(first)
    if known is None:
        return None
    head = Head(known[0], known[1], (1, 1), keep_alive=True)
    plain: list[tuple[bytes, bytes]] = head.plain
    special = head.special
    seen = lines.SEEN
    for number in range(1, len(found)):
        line = seen.get(found[number])
        if line is None:
            line = lines.learn(found[number])
            if line is None:
                return None
        if line.kind:
            special.append(line)
        else:
            plain.append(line.pair)
    return head if _is_common(head) else None


def _learn_first(line: bytes) -> tuple[str, str] | None:
    match = _LINE(line)
    if match is None:
        return None
    found = match[1].decode("ascii"), match[2].decode("ascii")
    if len(line) <= lines.LONGEST:
        if len(_first_lines) >= _FIRST_LINES:
            _first_lines.clear()
        _first_lines[line] = found
    return found


def _is_common(head: Head) -> bool:
    """Tell whether nothing in the special fields wants a closer look; note ``Connection``."""
    hosts = lengths = connections = 0
    for line in head.special:
        kind = line.kind
        if kind == fields.HOST:
            hosts += 1
        elif kind == fields.CONNECTION:
            connections += 1
            value = line.pair[1].lower()
            if value == b"close":
                head.keep_alive = False
            elif value != b"keep-alive":
                return False
        elif kind == fields.CONTENT_LENGTH:
            lengths += 1
            if _LENGTH(line.pair[1]) is None:
                return False
        elif kind in _LEFT:
            return False
    return hosts == 1 and lengths < 2 and connections < 2
