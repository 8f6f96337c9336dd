"""Configuration models as Traefik's API shows them.

Names are camelCase, durations are Go's text, and what is unset or zero is left
out, as Go's ``omitempty`` does: a zero is shown only where it is not the default.
Options marked as secret (``metadata={"secret": True}``) are shown as ``xxxx``, and so are
user and password in URLs (``"credentials"``), and the values of header fields that prove who one
is (``"fields"``).
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from edgerouter.config.types import DurationMarker, camel_case, format_duration
from edgerouter.http.urls import without_credentials

_HIDDEN = "xxxx"
_PROVES = re.compile(r"(?i)authorization|cookie|token|secret|password|credential|api-?key").search


def represent(value: Any) -> Any:
    """Return ``value`` (a model, a dataclass, a list, a mapping or a scalar) as JSON data."""
    if isinstance(value, BaseModel):
        return dict(_model_fields(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dict(_dataclass_fields(value))
    if isinstance(value, Mapping):
        return {str(key): represent(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [represent(item) for item in value]
    return value


def _model_fields(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        if not field.exclude and not _is_left_out(value, default):
            yield (
                field.alias or name,
                _shown(value, _marks_duration(field.metadata, field.annotation)),
            )


def _dataclass_fields(instance: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        default = None if field.default is dataclasses.MISSING else field.default
        if not _is_left_out(value, default):
            name = field.metadata.get("alias") or camel_case(field.name)
            if field.metadata.get("secret"):
                yield name, [_HIDDEN] * len(value) if isinstance(value, tuple) else _HIDDEN
            elif field.metadata.get("fields"):
                yield name, {key: _field(key, item) for key, item in value.items()}
            elif field.metadata.get("credentials"):
                yield name, _without_credentials(value)
            else:
                yield name, _shown(value, _marks_duration((), field.type))


def _field(name: str, value: str) -> str:
    """Return the value of a header field, hidden where it is there to prove who one is."""
    return _HIDDEN if value and _PROVES(name) else value


def _without_credentials(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_without_credentials(item) for item in value]
    return without_credentials(value, f"{_HIDDEN}@")


def hidden(raw: Any) -> Any:
    """Return the names of options that could not be read; what stands there may be secret."""
    return {str(name): _HIDDEN for name in raw} if isinstance(raw, Mapping) else _HIDDEN


def _is_left_out(value: Any, default: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return False
    if isinstance(value, str | list | tuple | Mapping | set | frozenset):
        return not value
    return not value and not default and default is not None


def _shown(value: Any, is_duration: bool) -> Any:
    return format_duration(value) if is_duration else represent(value)


def _marks_duration(metadata: Any, annotation: Any) -> bool:
    """Tell whether a field is a ``Duration``, perhaps an optional one."""
    marks = [*metadata, *getattr(annotation, "__metadata__", ())]
    for option in getattr(annotation, "__args__", ()):
        marks.extend(getattr(option, "__metadata__", ()))
    return any(isinstance(mark, DurationMarker) for mark in marks)
