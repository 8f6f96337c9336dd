"""Values as Go sees them: truth, kinds, printing, within limits.

Values are None, bool, int, float, str, lists and mappings with text keys.
Nothing else gets in, so a template never reaches a Python attribute.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

MAX_TEXT = 1 << 20
"""Characters one text may have."""
MAX_OUTPUT = 16 << 20
"""Characters the whole output may have."""
MAX_ITEMS = 100_000
"""Items one list or mapping made by a function may have."""
MAX_NESTING = 50

Value: TypeAlias = Any


class FunctionError(Exception):
    """A function refuses its arguments; the interpreter adds the place."""


class Record(dict[str, Value]):
    """The data of a template: a mapping whose missing fields are mistakes, as in a Go struct."""


class Dictionary(dict[str, Value]):
    """What ``dict`` makes: the only mapping ``set`` and ``unset`` may change."""


def admit(value: object) -> Value:
    """Return ``value`` if templates may hold it.

    Raises:
        FunctionError: It is of another type.
    """
    if value is None or isinstance(value, bool | int | float | str | Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return value
    raise FunctionError(f"a value of type {type(value).__name__} cannot be used in a template")


def truth(value: Value) -> bool:
    """Tell whether a value counts as true."""
    return bool(value)


def kind(value: Value) -> str:
    """Name the kind of a value in Go's words."""
    match value:
        case None:
            return "invalid"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Mapping():
            return "map"
        case _:
            return "slice"


def show(value: Value) -> str:
    """Print a value as ``{{ value }}`` does."""
    if isinstance(value, str):
        return value
    return "<no value>" if value is None else go_string(value)


def go_string(value: Value) -> str:
    """Print a value as Go's ``%v`` does.

    Raises:
        FunctionError: It is too large or too deep.
    """
    parts: list[str] = []
    size = 0
    for part in _parts(value, 0):
        size += len(part)
        if size > MAX_TEXT:
            raise FunctionError(f"a text would have more than {MAX_TEXT} characters")
        parts.append(part)
    return "".join(parts)


def _parts(value: Value, depth: int) -> Iterator[str]:
    if depth > MAX_NESTING:
        raise FunctionError(f"a value is nested more than {MAX_NESTING} deep")
    match value:
        case str():
            yield value
        case None:
            yield "<nil>"
        case bool():
            yield "true" if value else "false"
        case int():
            yield str(value)
        case float():
            yield go_float(value)
        case Mapping():
            yield "map["
            for place, key in enumerate(sorted(value)):
                yield f"{' ' if place else ''}{key}:"
                yield from _parts(value[key], depth + 1)
            yield "]"
        case _:
            yield "["
            for place, item in enumerate(value):
                yield " " if place else ""
                yield from _parts(item, depth + 1)
            yield "]"


def go_float(value: float) -> str:
    """Print a float as Go's ``%v`` does: the shortest digits, with an exponent from 1e+06 on."""
    if value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, digits))
    power = len(shown) + int(exponent) - 1
    minus = "-" if sign else ""
    if value and not -4 <= power < 6:
        fraction = f".{shown[1:]}" if len(shown) > 1 else ""
        return f"{minus}{shown[0]}{fraction}e{power:+03d}"
    return minus + (format(Decimal(repr(abs(value))).normalize(), "f"))


def bounded(size: int) -> None:
    """Refuse a text of ``size`` characters if that is too much.

    Raises:
        FunctionError: It is.
    """
    if size > MAX_TEXT:
        raise FunctionError(f"a text would have more than {MAX_TEXT} characters")


def bounded_items(count: int) -> None:
    """Refuse a list of ``count`` items if that is too much.

    Raises:
        FunctionError: It is.
    """
    if count > MAX_ITEMS:
        raise FunctionError(f"a list would have more than {MAX_ITEMS} items")


def text(value: Value) -> str:
    """Return a value that must be a string.

    Raises:
        FunctionError: It is none.
    """
    if isinstance(value, str):
        return value
    if value is None:
        raise FunctionError("a string is expected but there is no value; put a default before it")
    raise FunctionError(f"a string is expected, not {kind(value)} {show(value)[:40]}")


def integer(value: Value) -> int:
    """Return a value that must be a whole number.

    Raises:
        FunctionError: It is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FunctionError(f"a whole number is expected, not {kind(value)} {show(value)[:40]}")


def items(value: Value) -> Sequence[Value]:
    """Return a value that must be a list.

    Raises:
        FunctionError: It is none.
    """
    if kind(value) == "slice":
        return value  # type: ignore[no-any-return]
    raise FunctionError(f"a list is expected, not {kind(value)} {show(value)[:40]}")


def mapping(value: Value) -> Mapping[str, Value]:
    """Return a value that must be a mapping.

    Raises:
        FunctionError: It is none.
    """
    if isinstance(value, Mapping):
        return value
    raise FunctionError(f"a map is expected, not {kind(value)} {show(value)[:40]}")
