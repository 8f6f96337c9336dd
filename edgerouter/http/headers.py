"""Header fields as an ordered, lossless list of byte pairs.

Names keep the case they came in; every look-up ignores case and takes the
name in lower case. A ``Headers`` that has been handed on is treated as
immutable: who wants other fields makes a new list.
"""

from collections.abc import Iterable


class Headers(list[tuple[bytes, bytes]]):
    """Header fields in the order of the wire (RFC 9110, section 5)."""

    __slots__ = ()

    def first(self, name: bytes) -> bytes | None:
        """Return the first value of ``name`` (lower case), or None."""
        for key, value in self:
            if key.lower() == name:
                return value
        return None

    def all(self, name: bytes) -> list[bytes]:
        """Return every value of ``name`` (lower case) in order."""
        return [value for key, value in self if key.lower() == name]

    def has(self, name: bytes) -> bool:
        """Tell whether a field ``name`` (lower case) is present."""
        return any(key.lower() == name for key, _ in self)

    def without(self, *names: bytes) -> "Headers":
        """Return a copy without the fields ``names`` (lower case)."""
        return Headers([pair for pair in self if pair[0].lower() not in names])

    def replaced(self, name: bytes, value: bytes) -> "Headers":
        """Return a copy in which ``name`` (case kept) has the one value ``value``."""
        fields = self.without(name.lower())
        fields.append((name, value))
        return fields

    def extended(self, pairs: Iterable[tuple[bytes, bytes]]) -> "Headers":
        """Return a copy with ``pairs`` appended."""
        fields = Headers(self)
        fields.extend(pairs)
        return fields


def tokens(value: bytes) -> list[bytes]:
    """Split a comma-separated list (RFC 9110, section 5.6.1) into lower-case tokens."""
    return [token for part in value.split(b",") if (token := part.strip(b" \t").lower())]
