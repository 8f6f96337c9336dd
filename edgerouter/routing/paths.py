"""The form of a path that rules look at.

Traefik matches paths with every escape decoded but those of reserved
characters (RFC 3986, section 2.2) and of ``%`` itself, so that
``Path(`/a b`)`` fits ``/a%20b`` and ``/a%2Fb`` stays one segment.
"""

import re

RESERVED = frozenset(b":/?#[]@!$&'()*+,;=%")

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def routing_path(path: str) -> str:
    """Return the path that rules look at; ``path`` is percent-encoded and normalised."""
    if "%" not in path and path.isascii():
        return path
    raw = _ESCAPE.sub(_decode, path.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _decode(escape: "re.Match[bytes]") -> bytes:
    byte = int(escape[1], 16)
    return escape[0] if byte in RESERVED else bytes([byte])
