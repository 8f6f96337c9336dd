"""Which other elements of its provider an element of a container names."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgerouter.config.dynamic.http import MiddlewareDefinition

_RAW = {"chain": ("middlewares", "middlewares"), "errors": ("service", "services")}
"""Types of middlewares with references: the option, and the group of what it names."""


def references(path: str, definition: Any, provider: str) -> Iterator[str]:
    """Yield the paths of the elements that the one at ``path`` refers to."""
    section = path.partition(".")[0]
    for group, name in _named(definition):
        base, _, where = name.strip().partition("@")
        if where in ("", provider):
            yield f"{section}.{group}.{base}"


def _named(definition: Any) -> Iterator[tuple[str, str]]:
    if isinstance(definition, MiddlewareDefinition):
        yield from _named_by_options(definition)
        return
    for name in getattr(definition, "middlewares", ()):
        yield "middlewares", name
    if service := getattr(definition, "service", ""):
        yield "services", service


def _named_by_options(definition: MiddlewareDefinition) -> Iterator[tuple[str, str]]:
    option, group = _RAW.get(definition.type.lower(), ("", ""))
    if not option or not isinstance(definition.options, Mapping):
        return
    for key, value in definition.options.items():
        if str(key).lower() == option:
            for name in value if isinstance(value, list) else str(value).split(","):
                yield group, str(name)
