"""Names and values of header fields that come from options: only what is safe on the wire."""

import re
from collections.abc import Callable, Iterable, Mapping

from edgerouter.middleware.base import BuildError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OF_THE_CONNECTION = frozenset(
    b"connection content-length expect http2-settings proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
"""Fields that frame a message or speak to the next hop: what writes messages sets them."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def field_name(name: str, option: str) -> bytes:
    """Return ``name`` as bytes, its case kept.

    Raises:
        BuildError: It is no field name (RFC 9110, section 5.1); the message names ``option``.
    """
    if not _TOKEN.fullmatch(name):
        raise BuildError(f"{option}: {name!r} is no header name")
    return name.encode()


def written_name(name: str, option: str) -> bytes:
    """Return ``name``, of a field that is to be written, as bytes, its case kept.

    Raises:
        BuildError: As for ``field_name``, or the field is not for options to set.
    """
    wire = field_name(name, option)
    if is_of_the_connection(wire) or wire.lower() == b"host":
        raise BuildError(f"{option}: the router itself sets {name}; name another header")
    return wire


def is_of_the_connection(name: bytes) -> bool:
    """Tell whether the field ``name`` belongs to one hop, so that no option can set it."""
    return name.lower() in _OF_THE_CONNECTION


def field_names(names: Iterable[str], option: str) -> tuple[bytes, ...]:
    """Return ``names`` as bytes, in lower case, for look-ups.

    Raises:
        BuildError: As for ``field_name``.
    """
    return tuple(field_name(name, option).lower() for name in names)


def field_value(value: str, option: str) -> bytes:
    """Return ``value`` as bytes.

    Raises:
        BuildError: It holds control characters such as a line break.
    """
    if _CONTROL.search(value):
        raise BuildError(f"{option}: the value holds a control character, such as a line break")
    return value.strip(" \t").encode("utf-8", "surrogateescape")


def field_map(fields: Mapping[str, str], option: str) -> dict[bytes, bytes]:
    """Return names and values as bytes; of names that differ in case only, the last stays.

    Raises:
        BuildError: As for ``field_name`` and ``field_value``.
    """
    made: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in fields.items():
        wire = field_name(name, option)
        made[wire.lower()] = (wire, field_value(value, f"{option}.{name}"))
    return dict(made.values())


def written_map(
    fields: Mapping[str, str], option: str, warn: Callable[[str], None]
) -> dict[bytes, bytes]:
    """Return what ``field_map`` does, without fields of the connection; ``warn`` hears of them.

    As in Traefik such a field costs nothing but its effect, and it may be deleted.

    Raises:
        BuildError: As for ``field_map``.
    """
    made = field_map(fields, option)
    for name in [name for name, value in made.items() if value and is_of_the_connection(name)]:
        del made[name]
        shown = name.decode()
        warn(f"{option}.{shown}: has no effect, for the router itself sets this field; remove it")
    return made
