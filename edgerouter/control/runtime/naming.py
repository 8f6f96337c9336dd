"""Reasons of middlewares, with options as the user wrote them.

A middleware says ``users: entry 1: ...``; the user wrote
``traefik.http.middlewares.auth.basicauth.users``.
"""

import re
from collections.abc import Mapping
from typing import Any

from edgerouter.config.schema import fields_of

_OPTION = re.compile(r"([A-Za-z]\w*(?:\.[\w.-]+)?)((?:\[\d+\])?): ", re.ASCII).match


def as_written(
    reason: str, model: type[Any], raw: Mapping[str, Any], element: str
) -> tuple[str, str]:
    """Return the key of the option that ``reason`` begins with, and the rest of the reason.

    Args:
        reason: ``option: what is wrong``, or only what is wrong with all of them.
        model: the options' class.
        raw: the options as they came.
        element: the key of the whole, e.g. ``traefik.http.middlewares.auth.basicauth``.
    """
    found = _OPTION(reason)
    if found is None:
        return element, reason
    path, index = found.groups()
    names = {spec.alias.lower() for spec in fields_of(model)}
    if path.partition(".")[0].lower() not in names:
        return element, reason
    return f"{element}.{_spelled(path, raw)}{index}", reason[found.end() :]


def _spelled(path: str, raw: Any) -> str:
    """Return ``path`` in the spelling of ``raw``, where it is there."""
    written = []
    for part in path.split("."):
        given = raw if isinstance(raw, Mapping) else {}
        key = next((key for key in given if str(key).lower() == part.lower()), part)
        raw = given.get(key)
        written.append(str(key))
    return ".".join(written)
