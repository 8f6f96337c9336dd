"""Models as the decoder sees them: fields with their aliases, types and markers.

Pydantic models and standard dataclasses look alike from here.
"""

import dataclasses
import functools
import types
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from edgerouter.config.types import LabelName, LabelOnly, camel_case


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a model as the decoder sees it."""

    name: str
    alias: str
    annotation: Any
    metadata: tuple[Any, ...]
    required: bool

    def marked(self, marker: type) -> bool:
        return any(isinstance(item, marker) for item in self.metadata)


def fields_of(model: Any) -> tuple[FieldSpec, ...]:
    """Return the fields of a pydantic model or a dataclass (the class) in their order."""
    return _specs(model)


@functools.cache
def _specs(model: Any) -> tuple[FieldSpec, ...]:
    if dataclasses.is_dataclass(model):
        return _dataclass_fields(model)
    specs = []
    for name, info in model.model_fields.items():
        alias = info.alias or camel_case(name)
        specs.append(
            FieldSpec(name, alias, info.annotation, tuple(info.metadata), info.is_required())
        )
    return tuple(specs)


def _dataclass_fields(model: Any) -> tuple[FieldSpec, ...]:
    hints = get_type_hints(model, include_extras=True)
    specs = []
    for field in dataclasses.fields(model):
        annotation, metadata = strip_annotation(hints[field.name])
        missing = dataclasses.MISSING
        required = field.default is missing and field.default_factory is missing
        alias = field.metadata.get("alias") or camel_case(field.name)
        specs.append(FieldSpec(field.name, alias, annotation, metadata, required))
    return tuple(specs)


def names_of(model: Any, *, text: bool) -> dict[str, tuple[FieldSpec, bool]]:
    """Return the fields by lower-case name; True where a label names a list's first element.

    With ``text`` the names are those of labels.
    """
    return _names(model, text)


@functools.cache
def _names(model: Any, text: bool) -> dict[str, tuple[FieldSpec, bool]]:
    names: dict[str, tuple[FieldSpec, bool]] = {}
    for spec in fields_of(model):
        label = next((m.name for m in spec.metadata if isinstance(m, LabelName)), None)
        if text and label is not None:
            names[label.lower()] = (spec, True)
        elif text or not spec.marked(LabelOnly):
            names[spec.alias.lower()] = (spec, False)
    return names


@functools.cache
def pydantic_aliases(model: Any) -> dict[str, str]:
    """Return under which key a pydantic model wants each of its fields, by the field's name."""
    return {name: info.alias or name for name, info in model.model_fields.items()}


def is_struct(annotation: Any) -> bool:
    """Tell whether ``annotation`` is a class that the decoder takes field by field."""
    return isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation) or hasattr(annotation, "model_fields")
    )


def plain_type(annotation: Any) -> Any:
    """Return the annotation without ``Annotated`` and ``| None``."""
    return strip_annotation(annotation)[0]


@functools.cache
def strip_annotation(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the annotation without ``Annotated`` and ``| None``, and the metadata found."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extra = get_args(annotation)
            metadata += tuple(extra)
        elif get_origin(annotation) in {Union, types.UnionType}:
            members = [arg for arg in get_args(annotation) if arg is not type(None)]
            if len(members) != 1:
                return annotation, metadata
            annotation = members[0]
        else:
            return annotation, metadata
