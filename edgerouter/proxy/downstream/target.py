"""Request targets and ``Host`` (RFC 9112, section 3.2) into scheme, authority, path and query."""

import re

from edgerouter.http.errors import BadRequest

_AUTHORITY = re.compile(
    r"(?:\[[0-9A-Fa-f:.%A-Za-z0-9_~-]*\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?"
).fullmatch
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL).fullmatch


def split_target(target: str) -> tuple[str | None, str, str | None]:
    """Return authority (None for origin-form), path and query of a request target.

    Raises:
        BadRequest: It is neither origin-form nor absolute-form, or has a fragment.
    """
    if "#" in target:
        message = "the request target has a fragment ('#')"
        raise BadRequest(message)
    authority = None
    if not target.startswith("/"):
        match = _ABSOLUTE(target)
        if match is None or match[1].lower() not in ("http", "https", "ws", "wss"):
            message = "the request target is neither a path nor an absolute http URL"
            raise BadRequest(message)
        authority, target = match[2].rpartition("@")[2], match[3]
        if not authority:
            message = "the absolute request target names no host"
            raise BadRequest(message)
    path, mark, query = target.partition("?")
    return authority, path, query if mark else None


def host_name(authority: str) -> str:
    """Return the lower-case host of ``authority`` without port and trailing dot.

    Raises:
        BadRequest: It is not ``host[:port]`` (RFC 9110, section 7.2).
    """
    if _AUTHORITY(authority) is None:
        message = "the Host field is malformed"
        raise BadRequest(message)
    if authority.startswith("["):
        host = authority[: authority.index("]") + 1].strip("[]")
    else:
        host = authority.partition(":")[0]
    return host.lower().removesuffix(".")
