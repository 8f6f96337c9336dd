"""Replacing by regular expression as Go does it (``Regexp.ReplaceAllString``).

In a replacement ``$1``, ``${1}``, ``$name`` and ``${name}`` stand for what a group
matched, ``$$`` for a dollar sign. A name is as long as it can be (``$1x`` is the
group called ``1x``), a group that does not exist is empty.
"""

import re
from typing import Any

from edgerouter.routing.regex import compile_capturing

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>\w+)\})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}").fullmatch


class Replacement:
    """One expression with its replacement.

    Texts are those of requests: bytes that are no UTF-8 are surrogate-escaped.
    """

    __slots__ = ("_parts", "_search", "unknown")

    def __init__(self, expression: str, template: str) -> None:
        """Prepare the two.

        Raises:
            RegexError: The expression cannot be used.
        """
        compiled = compile_capturing(expression)
        self._search = compiled.search
        self.unknown: list[str] = []
        """References to groups that the expression does not have."""
        self._parts = _parse(template, compiled, self.unknown)

    def __call__(self, text: str) -> str | None:
        """Return ``text`` with every match replaced, or None if nothing matches."""
        data = text.encode("utf-8", "surrogateescape")
        match = self._search(data)
        if match is None:
            return None
        made = []
        end = position = 0
        while match is not None:
            first, last = match.span()
            made.append(data[end:first])
            # Not for an empty match right behind another one.
            if last > end or first == 0:
                made += [
                    part if type(part) is bytes else _group(match, part) for part in self._parts
                ]
            end = last
            position = last if last > position else position + _width(data, position)
            match = self._search(data, position) if position <= len(data) else None
        made.append(data[end:])
        return b"".join(made).decode("utf-8", "surrogateescape")


def _group(match: Any, number: object) -> bytes:
    first, last = match.span(number)
    return match.string[first:last] if first >= 0 else b""


def _width(data: bytes, position: int) -> int:
    """Return the bytes of the character at ``position``."""
    width = 1
    while data[position + width : position + width + 1] and data[position + width] & 0xC0 == 0x80:
        width += 1
    return width


def _parse(template: str, compiled: Any, unknown: list[str]) -> list[bytes | int]:
    """Split ``template`` into text and numbers of groups; add others to ``unknown``."""
    parts: list[bytes | int] = []
    position = 0
    for reference in _REFERENCE.finditer(template):
        parts.append(template[position : reference.start()].encode("utf-8", "surrogateescape"))
        position = reference.end()
        if reference["dollar"]:
            parts.append(b"$")
            continue
        number = _number(reference["bare"] or reference["braced"], compiled)
        if number is not None:
            parts.append(number)
        else:
            unknown.append(reference[0])
    parts.append(template[position:].encode("utf-8", "surrogateescape"))
    return [part for part in parts if part != b""]


def _number(name: str, compiled: Any) -> int | None:
    """Return the number of the group ``name``, or None if there is none."""
    if _NUMBER(name):
        return int(name) if int(name) <= compiled.groups else None
    number: int | None = compiled.groupindex.get(name)
    return number
