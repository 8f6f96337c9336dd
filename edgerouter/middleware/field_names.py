"""Names and values of header fields that come from options: only what is safe on the wire."""

import re
from collections.abc import Iterable, Mapping

from edgerouter.middleware.base import BuildError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def field_name(name: str, option: str) -> bytes:
    """Return ``name`` as bytes, its case kept.

    Raises:
        BuildError: It is no field name (RFC 9110, section 5.1); the message names ``option``.
    """
    if not _TOKEN.fullmatch(name):
        raise BuildError(f"{option}: {name!r} is no header name")
    return name.encode()


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
