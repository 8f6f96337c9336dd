"""Request targets: split, normalised and sanitised as Traefik 3.7 does.

Percent-encoded unreserved characters are decoded, other escapes become
upper-case (RFC 3986, section 6.2.2), dot segments and empty segments are
removed (section 5.2.4). Reserved characters stay encoded, so that a router
cannot be evaded by encoding and a backend sees what the client meant.
"""

import re
from urllib.parse import unquote_to_bytes

from edgerouter.http.errors import BadRequest
from edgerouter.http.memory import remembered

_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~!$&'()*+,=:@-]*)*/?").fullmatch
"""Paths that normalisation and sanitising leave alone."""
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_UNESCAPED_OUTSIDE = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/%\[\]-]").search
"""Characters that may not stand in a path (RFC 3986, section 3.3; brackets are tolerated)."""
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_WHEN_REBUILT = _UNRESERVED | frozenset(b"$&+,/:;=@")

ENCODED_CHARACTERS = {
    "allowEncodedSlash": "%2F",
    "allowEncodedBackSlash": "%5C",
    "allowEncodedNullCharacter": "%00",
    "allowEncodedSemicolon": "%3B",
    "allowEncodedPercent": "%25",
    "allowEncodedQuestionMark": "%3F",
    "allowEncodedHash": "%23",
}
"""The options that may refuse an escape in a path, with the escape each stands for."""


def normalise(path: str, *, sanitise: bool = True) -> str:
    """Return the path that is matched and forwarded.

    Raises:
        BadRequest: An escape is broken.
    """
    if _PLAIN(path):
        return path or "/"
    return _normalise(path, sanitise)


@remembered(1024)
def _normalise(path: str, sanitise: bool) -> str:
    if _BAD_ESCAPE(path):
        message = "the path has a '%' that is not followed by two hexadecimal digits"
        raise BadRequest(message)
    if "%" in path:
        path = _ESCAPE.sub(_normal_escape, path)
    if _UNESCAPED_OUTSIDE(path):  # First: it may decode slashes, and so bring about dot segments.
        path = _rebuild(path)
    return clean(path) if sanitise else path


def _normal_escape(match: re.Match[str]) -> str:
    byte = int(match[1], 16)
    return chr(byte) if byte in _UNRESERVED else f"%{match[1].upper()}"


def _rebuild(path: str) -> str:
    """Escape a path anew from its decoded form, as Go does when the text is not valid."""
    raw = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
    return "".join(chr(b) if b in _SAFE_WHEN_REBUILT else f"%{b:02X}" for b in raw)


def clean(path: str) -> str:
    """Remove empty and dot segments; a trailing slash stays."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    result = "/" + "/".join(kept)
    if kept and segments[-1] in ("", ".", "..") and path.endswith("/"):
        result += "/"
    return result
