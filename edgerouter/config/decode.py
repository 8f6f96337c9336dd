"""Raw nested mappings into models, by Traefik's rules; mistakes become a list, never an exception.

A model is a pydantic ``BaseModel`` or a standard dataclass. Field names are
matched without case against their camelCase alias (a dataclass field may carry
``metadata={"alias": ...}``). A key that is an empty string holds what was written
on the element itself beside its children (``tls=true`` beside ``tls.options=x``).
What is wrong is left out of the value and reported with its path.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from edgerouter.config.diagnostics import Severity
from edgerouter.config.schema import (
    FieldSpec,
    fields_of,
    is_struct,
    names_of,
    plain_type,
    pydantic_aliases,
    strip_annotation,
)
from edgerouter.config.types import (
    MAX_INT,
    AllowEmpty,
    DurationMarker,
    LabelOnly,
    NoGaps,
    NotInLabels,
    is_unicode,
    parse_bool,
    parse_duration,
    printable,
    suggestion,
)

__all__ = ["OWN_VALUE", "Decoded", "Problem", "decode", "fields_of", "is_struct"]

T = TypeVar("T")

OWN_VALUE = ""
"""The key under which an element with children keeps its own scalar."""


InTraefik = Literal["refused", "disabled", "ignored"]
"""Its container or file is not loaded; what it belongs to cannot work; nothing at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the path as the user wrote it, and what was expected and what came."""

    path: str
    message: str
    severity: Severity = "error"
    """A warning leaves everything in force."""
    in_traefik: InTraefik = field(default="refused", compare=False)
    """What becomes of such a label in Traefik."""


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """A model made of everything that was right, and a list of what was not."""

    value: T
    problems: list[Problem]


def decode(
    model: type[T],
    raw: Mapping[str, Any],
    *,
    path: str = "",
    text: bool = False,
    as_traefik: bool = False,
) -> Decoded[T]:
    """Decode ``raw`` into ``model``.

    Args:
        model: A pydantic model or a dataclass.
        raw: Nested mappings, lists and scalars. Text is read as the field's type says, whatever
            its origin: ``"10s"``, ``"true"``, ``"80"`` and ``"a, b"`` are as good as typed values.
        path: Stands before every reported path.
        text: The source is flat text (labels, flags, environment): options that Traefik refuses
            in labels are refused, those that exist in labels alone are known.
        as_traefik: What Traefik ignores is warned of, and lists keep their empty elements.
    """
    decoder = _Decoder(text, as_traefik=as_traefik)
    value = decoder.struct(model, raw, path)
    return Decoded(value, decoder.problems)


class _Invalid(Exception):
    """A value that was reported and is left out."""


_LEFT_OUT = object()


class _Decoder:
    def __init__(self, text: bool, *, as_traefik: bool) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._as_traefik = as_traefik

    def _fail(self, path: str, message: str, in_traefik: InTraefik = "refused") -> None:
        is_ignored = self._as_traefik and in_traefik == "ignored"
        severity: Severity = "warning" if is_ignored else "error"
        self.problems.append(Problem(path, message, severity, in_traefik))

    def _warn(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, "warning"))

    # Structs

    def struct(self, model: type[T], raw: Mapping[str, Any], path: str) -> T:
        """Return an instance of ``model`` made of every field that decodes."""
        names = names_of(model, text=self._text)
        values: dict[str, Any] = {}
        own = raw.get(OWN_VALUE)
        if own is not None and str(own).lower() not in {"true", ""}:
            self._warn(path or '""', f"the group has options only; {_shown(own)} has no effect")
        for key, item in raw.items():
            if key == OWN_VALUE or item is None:
                continue
            place = _join(path, printable(str(key)))
            spec, indexed = names.get(str(key).lower(), (None, False))
            if spec is None:
                self._fail(place, self._unknown(model, str(key)))
            elif self._text and spec.marked(NotInLabels):
                message = f'"{spec.alias}" cannot be set by labels; use a file'
                self._fail(place, message, "ignored")
                if self._as_traefik:  # But it has to be right.
                    self._field(spec, item, place)
            elif spec.name in values:
                self._fail(place, f'"{spec.alias}" is given twice')
            else:
                single = indexed and not isinstance(item, list)
                value = (
                    self._single(spec, item, place) if single else self._field(spec, item, place)
                )
                if value is not _LEFT_OUT:
                    values[spec.name] = value
        made: T = self._construct(model, values, path)
        return made

    def _unknown(self, model: type, key: str) -> str:
        lowered = key.lower()
        label_only = any(
            spec.marked(LabelOnly) for spec in fields_of(model) if spec.alias.lower() == lowered
        )
        if label_only and not self._text:
            return f'"{key}" exists in labels only'
        known = [
            spec.alias if spec.alias.lower() == name else name
            for name, (spec, _) in names_of(model, text=self._text).items()
        ]
        return f'unknown option "{printable(key)}"{suggestion(key, known)}'

    def _field(self, spec: FieldSpec, item: Any, path: str) -> Any:
        try:
            if spec.marked(AllowEmpty) and is_struct(plain_type(spec.annotation)):
                return self._allow_empty(plain_type(spec.annotation), item, path)
            return self._value(spec.annotation, spec.metadata, item, path)
        except _Invalid:
            return _LEFT_OUT

    def _single(self, spec: FieldSpec, item: Any, path: str) -> Any:
        """Return the list that a label such as ``server.port`` means: its first element."""
        try:
            return [self._value(get_args(spec.annotation)[0], (), item, path)]
        except _Invalid:
            return _LEFT_OUT

    def _allow_empty(self, model: type, item: Any, path: str) -> Any:
        own = item.get(OWN_VALUE) if isinstance(item, Mapping) else item
        if own is not None and str(own).lower() not in {"true", ""}:
            self._say_off(str(own), path)
            return None
        return self.struct(model, item if isinstance(item, Mapping) else {}, path)

    def _say_off(self, own: str, path: str) -> None:
        """Warn of a group that is off, as with Traefik, unless that was clearly meant."""
        try:
            parse_bool(own)
        except ValueError:
            if own.lower() not in {"no", "off"}:
                self._warn(path, f"is switched off by {_shown(own)}; write true to switch it on")

    def _construct(self, model: Any, values: dict[str, Any], path: str) -> Any:
        if not hasattr(model, "model_fields"):
            for spec in fields_of(model):
                if spec.required and spec.name not in values:
                    self._fail(_join(path, spec.alias), "is required")
                    values[spec.name] = _zero(spec.annotation)
            return model(**values)
        return self._construct_pydantic(model, values, path)

    def _construct_pydantic(self, model: Any, values: dict[str, Any], path: str) -> Any:
        from pydantic import ValidationError  # noqa: PLC0415 - workers have no pydantic.

        aliases = pydantic_aliases(model)
        while True:
            given = {aliases[name]: value for name, value in values.items()}
            try:
                return model.model_validate(given)
            except ValidationError as error:
                dropped = False
                by_alias = {alias.lower(): name for name, alias in aliases.items()}
                for detail in error.errors(include_url=False):
                    place = ".".join(str(part) for part in detail["loc"])
                    self._fail(_join(path, place) if place else path, _limit_of(detail))
                    name = by_alias.get(str(detail["loc"][0]).lower() if detail["loc"] else "", "")
                    dropped = values.pop(name, _LEFT_OUT) is not _LEFT_OUT or dropped
            if not dropped:
                return model.model_construct(**values)

    # Values

    def _value(self, annotation: Any, metadata: Sequence[Any], item: Any, path: str) -> Any:
        annotation, inner = strip_annotation(annotation)
        metadata = (*metadata, *inner)
        origin = get_origin(annotation)
        if annotation is Any or annotation is object:
            return item
        if is_struct(annotation):
            return self._nested(annotation, item, path)
        if origin is Literal:
            return self._choice(get_args(annotation), item, path)
        if origin in {list, tuple}:
            gaps = not any(isinstance(marker, NoGaps) for marker in metadata)
            values = self._list(get_args(annotation)[0], item, path, gaps=gaps)
            return tuple(values) if origin is tuple else values
        if origin in {dict, Mapping} or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return self._map(get_args(annotation)[1], item, path)
        return self._scalar(annotation, metadata, item, path)

    def _nested(self, model: type, item: Any, path: str) -> Any:
        if not isinstance(item, Mapping):
            self._fail(path, f"cannot be a standalone element{_options_of(model)}")
            raise _Invalid
        return self.struct(model, item, path)

    def _list(self, element: Any, item: Any, path: str, *, gaps: bool) -> list[Any]:
        if isinstance(item, str) and not is_struct(plain_type(element)):
            # Traefik splits lists at commas in every source and trims the elements.
            words = [word.strip() for word in item.split(",")] if item.strip() else []
            item = [word for word in words if word or not gaps or self._as_traefik]
        if (
            not gaps
            and not self._as_traefik
            and isinstance(item, list)
            and not all(map(_is_filled, item))
        ):
            self._fail(path, "an element of the list is empty", "disabled")
            raise _Invalid
        if isinstance(item, Mapping) or not isinstance(item, Sequence) or isinstance(item, str):
            if isinstance(item, Mapping) or is_struct(plain_type(element)):
                message = f"expected a list, got {_shown(item)}"
                self._fail(path, message, "ignored" if isinstance(item, Mapping) else "refused")
                raise _Invalid
            item = [item]
        values = []
        for index, part in enumerate(item):
            try:
                values.append(self._value(element, (), part, f"{path}[{index}]"))
            except _Invalid:
                continue
        return values

    def _map(self, element: Any, item: Any, path: str) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            self._fail(path, f"expected names with values below it, got {_shown(item)}")
            raise _Invalid
        values = {}
        if self._text and not is_struct(plain_type(element)):
            item = dict(_undotted(item))
        for key, part in item.items():
            if key == OWN_VALUE:
                continue
            if not is_unicode(str(key)):
                self._fail(path, f'the name "{printable(str(key))}" is not valid Unicode')
                continue
            try:
                content = {} if part is None and is_struct(plain_type(element)) else part
                values[str(key)] = self._value(element, (), content, _join(path, str(key)))
            except _Invalid:
                continue
        return values

    def _choice(self, choices: tuple[Any, ...], item: Any, path: str) -> Any:
        for choice in choices:
            if choice == item or str(choice) == str(item):
                return choice
        known = [str(choice) for choice in choices if choice != ""]
        expected = ", ".join(known)
        shown = _shown(item)
        message = f"expected one of {expected}; got {shown}{suggestion(str(item), known)}"
        self._fail(path, message, "ignored")
        raise _Invalid

    def _scalar(self, annotation: Any, metadata: Sequence[Any], item: Any, path: str) -> Any:
        if isinstance(item, (Mapping, list, tuple)):
            inner = next(iter(item), "") if isinstance(item, Mapping) else ""
            what = f'it has no option "{printable(str(inner))}"' if inner else f"got {_shown(item)}"
            self._fail(path, f"expected {_expected(annotation, metadata)}; {what}")
            raise _Invalid
        try:
            if any(isinstance(marker, DurationMarker) for marker in metadata):
                return _duration(item)
            reader = _READERS.get(annotation)
            return reader(item) if reader is not None else item
        except (ValueError, OverflowError):
            wanted = _expected(annotation, metadata)
            # What is no Unicode may still be a secret.
            got = _shown(item) if annotation is not str else "text that is not valid Unicode"
            self._fail(path, f"expected {wanted}, got {got}")
            raise _Invalid from None


def _is_filled(item: Any) -> bool:
    return bool(str(item).strip()) if item is not None else False


def _undotted(group: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of a map of single values; dots in the names of labels are part of them."""
    for key, item in group.items():
        name = above + str(key) if key != OWN_VALUE else above.removesuffix(".")
        if isinstance(item, Mapping) and item:
            yield from _undotted(item, f"{name}.")
        else:
            yield name, item


_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _limit_of(detail: Mapping[str, Any]) -> str:
    """Return what pydantic found wrong with a value, in our words."""
    words = _LIMITS.get(detail["type"])
    if words is None:
        return str(detail["msg"]).removeprefix("Value error, ")
    relation, limit = words
    return f"expected {relation} {detail['ctx'][limit]:g}, got {detail['input']:g}"


def _bool(item: Any) -> bool:
    return parse_bool(str(item))


def _int(item: Any) -> int:
    if isinstance(item, bool) or not isinstance(item, (int, str)):
        raise ValueError
    if isinstance(item, str) and (not item.lstrip("+-").isdigit() or not item.isascii()):
        raise ValueError
    value = int(item)
    if not -MAX_INT - 1 <= value <= MAX_INT:
        raise ValueError
    return value


def _float(item: Any) -> float:
    if isinstance(item, bool) or (isinstance(item, str) and "_" in item):
        raise ValueError
    value = float(item)
    if not math.isfinite(value):
        raise ValueError
    return value


def _duration(item: Any) -> float:
    if isinstance(item, str):
        return parse_duration(item)
    value = _float(item)
    if abs(value) * 1e9 > MAX_INT:
        raise ValueError
    return value


def _str(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    text = str(item)
    if not is_unicode(text):
        raise ValueError
    return text


_READERS = {bool: _bool, int: _int, float: _float, str: _str}


def _expected(annotation: Any, metadata: Sequence[Any]) -> str:
    if any(isinstance(marker, DurationMarker) for marker in metadata):
        return "a duration such as 30s or 1m30s"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a single value"}
    return names.get(annotation, "a single value")


def _options_of(model: type) -> str:
    names = ", ".join(spec.alias for spec in fields_of(model) if not spec.marked(LabelOnly))
    return f"; set one of its options: {names}" if names else ""


def _shown(item: Any) -> str:
    if isinstance(item, Mapping):
        return "a group of options"
    if isinstance(item, (list, tuple)):
        return "a list"
    text = str(item).lower() if isinstance(item, bool) else str(item)
    return f'"{printable(text)}"'


def _zero(annotation: Any) -> Any:
    origin = get_origin(annotation) or annotation
    return origin() if origin in {str, int, float, bool, list, dict, tuple} else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
