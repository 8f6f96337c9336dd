"""Request targets and ``Host`` (RFC 9112, section 3.2) into scheme, authority, path and query."""

import re

from edgerouter.http.errors import BadRequest

_AUTHORITY = re.compile(
    r"(?:\[[0-9A-Fa-f:.%A-Za-z0-9_~-]*\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?"
).fullmatch
_HOST_AS_TRAEFIK = re.compile(r"[A-Za-z0-9!$%&'()*+,.:;=\[\]_~-]*").fullmatch
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL).fullmatch


_USER = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*").fullmatch
_SCHEMES = ("http", "https", "ws", "wss")


class MalformedHost(BadRequest):
    """A ``Host`` field that is not ``host[:port]``."""

    as_traefik = "400 Bad Request: malformed Host header"


class Fragment(BadRequest):
    """A request target with a fragment."""

    as_traefik = None


def split_target(target: str, *, as_traefik: bool = False) -> tuple[str | None, str, str | None]:
    """Return authority (None for origin-form), path and query of a request target.

    ``as_traefik`` takes any scheme, a fragment behind the query, and ``*``.

    Raises:
        BadRequest: It is neither origin-form nor absolute-form, or has a fragment.
    """
    if "#" in (target.partition("?")[0] if as_traefik else target):
        message = "the request target has a fragment ('#')"
        raise Fragment(message)
    authority = None
    if not target.startswith("/"):
        match = _ABSOLUTE(target)
        if as_traefik and target == "*":
            return None, target, None
        if match is None or not (as_traefik or match[1].lower() in _SCHEMES):
            message = "the request target is neither a path nor an absolute http URL"
            raise BadRequest(message)
        (user, _, authority), target = match[2].rpartition("@"), match[3]
        if not _USER(user):
            message = "the user in the absolute request target is malformed"
            raise BadRequest(message)
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
        raise MalformedHost(message)
    if authority.startswith("["):
        host = authority[: authority.index("]") + 1].strip("[]")
    else:
        host = authority.partition(":")[0]
    return host.lower().removesuffix(".")


def host_name_as_traefik(authority: str) -> str:
    """Return the lower-case host as Traefik does, which asks less of the field and its port.

    Raises:
        BadRequest: It holds a character that no host has.
    """
    if _HOST_AS_TRAEFIK(authority) is None:
        message = "the Host field is malformed"
        raise MalformedHost(message)
    host, colon, _ = authority.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        host = authority
    return host.removeprefix("[").removesuffix("]").lower().removesuffix(".")
