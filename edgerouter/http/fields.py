"""Header fields that belong to one hop, and the ``X-Forwarded-*`` family.

``kind`` classifies a field name as it came off the wire in one dictionary
look-up; the memory of names is bounded.
"""

import re
from typing import Final

END_TO_END: Final = 0
HOST: Final = 1
CONNECTION: Final = 2
HOP_BY_HOP: Final = 3
PROXY_AUTHORIZATION: Final = 4
"""Of this hop, but an authentication server may want it."""
CONTENT_LENGTH: Final = 5
TRANSFER_ENCODING: Final = 6
UPGRADE: Final = 7
EXPECT: Final = 8
TE: Final = 9
FORWARDED: Final = 10
UNDERSCORE: Final = 11
TRAILER: Final = 12
DATE: Final = 13
ALIAS: Final = 14
"""A name with something else than letters, digits, dashes and underscores."""

_KINDS: dict[bytes, int] = {
    b"host": HOST,
    b"connection": CONNECTION,
    b"keep-alive": HOP_BY_HOP,
    b"proxy-connection": HOP_BY_HOP,
    b"proxy-authenticate": HOP_BY_HOP,
    b"proxy-authorization": PROXY_AUTHORIZATION,
    b"http2-settings": HOP_BY_HOP,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"upgrade": UPGRADE,
    b"expect": EXPECT,
    b"te": TE,
    b"trailer": TRAILER,
    b"date": DATE,
    b"x-real-ip": FORWARDED,
}
# The family as Traefik's forwarded-headers handler knows it; ``_`` counts as ``-`` because many
# backends (CGI, WSGI) cannot tell the two apart.
_FORWARDED_PREFIX = b"x-forwarded-"
_ALIKE = (b"x-real-ip", b"x-scheme")
_BELIEVED = frozenset(
    b"x-forwarded-proto x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-server "
    b"x-forwarded-uri x-forwarded-method x-forwarded-prefix x-forwarded-tls-client-cert "
    b"x-forwarded-tls-client-cert-info x-real-ip".split()
)
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9-]+").fullmatch
_MEMORY = 4096
_WITHOUT_SIGNS = bytes(
    ord(chr(c).lower()) if c < 128 and chr(c).isalnum() else 45 for c in range(256)
)
_seen: dict[bytes, int] = {}


def kind(name: bytes) -> int:
    """Return the class of the field ``name`` in whatever case it came."""
    known = _seen.get(name)
    return classify(name) if known is None else known


def classify(name: bytes) -> int:
    """Work out and remember the class of ``name``."""
    lower = name.lower()
    dashed = lower.replace(b"_", b"-")
    result = _KINDS.get(lower, END_TO_END)
    if dashed.startswith(_FORWARDED_PREFIX) or dashed in _ALIKE:
        result = FORWARDED
    elif result == END_TO_END and not _PLAIN_NAME(name):
        result = UNDERSCORE if b"_" in name else ALIAS
    if len(_seen) >= _MEMORY:
        _seen.clear()
    if len(name) <= 64:
        _seen[name] = result
    return result


def without_signs(name: bytes) -> bytes:
    """Return ``name`` as backends compare it that take all signs for one (CGI, WSGI, PHP)."""
    return name.translate(_WITHOUT_SIGNS)


def is_managed_by_traefik(name: bytes) -> bool:
    """Tell whether Traefik knows the ``X-Forwarded-*`` field ``name``, in whatever spelling."""
    return name.lower().replace(b"_", b"-") in _BELIEVED


KINDS_SEEN: Final = _seen
"""The memory behind ``kind``, for loops that cannot afford the call."""
