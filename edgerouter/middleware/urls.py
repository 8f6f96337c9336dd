"""Paths and URLs as Go writes them (``net/url``), for middlewares that rewrite them."""

import re
from urllib.parse import quote, unquote_to_bytes

from edgerouter.http.errors import BadRequest, ExchangeError
from edgerouter.http.message import Request
from edgerouter.middleware.base import SAFE_IN_PATH

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_ENCODED = r"[A-Za-z0-9._~!$&'()*+,;=:@/\[\]%-]*"
_VALID_PATH = re.compile(_ENCODED).fullmatch
_VALID_FRAGMENT = re.compile(_ENCODED.replace("/", "/?")).fullmatch
_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.S)
_ASCII = bytes(range(128))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_BAD_IN_AUTHORITY = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:\[\]<>\"@%\x80-\U0010ffff-]").search
_PORT = re.compile(r"(?:\[.*\]|[^:]*)(?::[0-9]*)?", re.DOTALL).fullmatch
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}").sub
_BAD_ESCAPE_IN_HOST = re.compile("%(?!25|[89A-Fa-f][0-9A-Fa-f])").search


class BadURL(ExchangeError):
    """What a replacement made of the request's URL is none."""

    status = 502


class BadEscape(ExchangeError):
    """What a replacement made of the path is not percent-encoded."""

    def __init__(self, escape: str) -> None:
        message = f'invalid URL escape "{escape}"'
        super().__init__(message)
        self.page = f"{message}\n"  # type: ignore[misc]  # of this one failure


class BadPrefix(BadRequest):
    """The prefix to be removed holds what no header field can."""

    page = "Bad Request\n"


class NotNormal(BadRequest):
    """The path without the prefix could mean another one."""

    page = "Bad Request\n"


def escaped_path(path: str) -> str:
    """Return ``path``, which may hold escapes, as it goes on the wire.

    Raises:
        BadEscape: A percent sign is not followed by two hexadecimal digits.
    """
    bad = bad_escape(path)
    if bad is not None:
        raise BadEscape(bad)
    if _VALID_PATH(path):
        return path
    return quote(unquote_to_bytes(path.encode("utf-8", "surrogateescape")), safe=SAFE_IN_PATH)


def bad_escape(path: str) -> str | None:
    """Return the first escape in ``path`` that is none, or None."""
    found = _BAD_ESCAPE.search(path) if "%" in path else None
    return found[0] if found else None


def has_control(text: str) -> bool:
    """Tell whether ``text`` holds control characters, which no URL does."""
    return _CONTROL(text) is not None


def location(url: str) -> str:
    """Return ``url`` as a ``Location``: its parts escaped where they are not yet.

    Raises:
        BadURL: It is no URL.
    """
    parts = _URL.fullmatch(url)
    if parts is None or has_control(url):
        raise BadURL("the replacement makes no URL: it holds control characters")
    scheme, authority, path, query, fragment = parts.groups()
    if authority is not None:
        host = authority.rpartition("@")[2]
        if _BAD_IN_AUTHORITY(authority) or not _PORT(host) or _BAD_ESCAPE_IN_HOST(host):
            raise BadURL(f"the replacement makes a URL with the bad host {authority!r}")
        authority = quote(authority.encode("utf-8", "surrogateescape"), safe=_ASCII)
        authority = _ESCAPE(lambda escape: escape[0].upper(), authority)
    elif not scheme and ":" in path.partition("/")[0]:
        raise BadURL(f"the replacement makes a URL with the bad scheme {path.partition(':')[0]!r}")
    is_opaque = scheme and authority is None and not path.startswith("/")
    try:
        path = path if is_opaque else escaped_path(path)
        fragment = _fragment(fragment or "")
    except BadEscape as error:
        raise BadURL(f"the replacement makes a bad URL: {error}") from None
    start = f"{scheme.lower()}:" if scheme else ""
    host = f"//{authority}" if authority is not None else ""
    return f"{start}{host}{path}{query or ''}{fragment}"


def _fragment(fragment: str) -> str:
    text = fragment[1:]
    bad = bad_escape(text)
    if bad is not None:
        raise BadEscape(bad)
    if not _VALID_FRAGMENT(text):
        text = quote(
            unquote_to_bytes(text.encode("utf-8", "surrogateescape")), safe="$&+,/:;=?@!()*"
        )
    return f"#{text}" if text else ""


def without_prefix(path: str, prefix: bytes) -> str | None:
    """Return the percent-encoded ``path`` without the decoded ``prefix``, or None."""
    if "%" not in path:
        text = prefix.decode("utf-8", "surrogateescape")
        return path[len(text) :] if path.startswith(text) else None
    position = 0
    for byte in prefix:
        step = 3 if path.startswith("%", position) else 1
        part = path[position : position + step].encode("utf-8", "surrogateescape")
        if unquote_to_bytes(part) != bytes((byte,)):
            return None
        position += step
    return path[position:]


def announced(prefix: bytes) -> tuple[bytes, bytes]:
    """Return the field that tells a server of the decoded ``prefix`` that was removed.

    Raises:
        BadPrefix: It holds control characters, which would end the field.
    """
    if _CONTROL_BYTES(prefix):
        raise BadPrefix("the prefix to be removed holds a control character")
    return (b"X-Forwarded-Prefix", prefix)


def normal(path: str, *, with_slash: bool = True) -> str:
    """Return what remains of a path as a path; ``with_slash``: it begins with one.

    Raises:
        NotNormal: It has empty or dot segments, so routers saw another path than the server
            would.
    """
    if path[:3].lower() == "%2f":
        # The slash is there, though encoded. Like Go, decode it with everything else.
        path = quote(unquote_to_bytes(path.encode("utf-8", "surrogateescape")), safe=SAFE_IN_PATH)
    if path.startswith("/") and "//" not in path and "/." not in path:
        return path
    segments = path.removeprefix("/").split("/")
    if not path.startswith("/") and (with_slash or not path):
        path = f"/{path}"
    if any(segment in ("", ".", "..") for segment in segments[:-1]) or segments[-1] in (".", ".."):
        raise NotNormal("the path without the prefix is not in normal form")
    return path


def replaced(request: Request, path: str) -> Request:
    """Return ``request`` with another path, and the old one in ``X-Replaced-Path``."""
    old = request.path.encode("utf-8", "surrogateescape")
    return request.evolve(path=path, headers=request.headers.extended([(b"X-Replaced-Path", old)]))
