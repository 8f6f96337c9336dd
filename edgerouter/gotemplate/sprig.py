"""sprig: defaults, numbers, JSON and the environment, joined with the tables for text and lists."""

import json
import math
import os
import posixpath
import re
from collections.abc import Callable

from edgerouter.gotemplate.collections import COLLECTIONS
from edgerouter.gotemplate.regex import REGEX
from edgerouter.gotemplate.strings import STRINGS
from edgerouter.gotemplate.values import (
    Dictionary,
    FunctionError,
    Value,
    admit,
    bounded,
    bounded_items,
    kind,
    text,
    truth,
)

_LIMIT = 1 << 63


def _int64(value: Value) -> int:
    """Make a whole number of anything, as sprig does: what is none counts as 0."""
    if isinstance(value, str):
        match = re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)", value)
        value = int(value, 16 if "x" in value.lower() else 10) if match and len(value) < 25 else 0
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) else 0
    return _wrapped(int(value)) if isinstance(value, int) else 0


def _wrapped(number: int) -> int:
    """Overflow like a signed 64-bit number."""
    return (number + _LIMIT) % (2 * _LIMIT) - _LIMIT


def _float64(value: Value) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _add(*values: Value) -> int:
    return _wrapped(sum(map(_int64, values)))


def _mul(first: Value, *values: Value) -> int:
    product = _int64(first)
    for value in values:
        product = _wrapped(product * _int64(value))
    return product


def _div(first: Value, second: Value) -> int:
    divisor = _int64(second)
    if divisor == 0:
        raise FunctionError("division by zero")
    quotient = abs(_int64(first)) // abs(divisor)
    return _wrapped(quotient if (_int64(first) < 0) == (divisor < 0) else -quotient)


def _mod(first: Value, second: Value) -> int:
    divisor = _int64(second)
    if divisor == 0:
        raise FunctionError("division by zero")
    remainder = abs(_int64(first)) % abs(divisor)
    return -remainder if _int64(first) < 0 else remainder


def _atoi(value: Value) -> int:
    source = text(value)
    return _int64(source) if re.fullmatch(r"[+-]?[0-9]+", source) else 0


def _round(value: Value, digits: Value) -> float:
    scale = 10.0 ** max(-300, min(_int64(digits), 300))
    return math.floor(_float64(value) * scale + 0.5) / scale


def _default(fallback: Value, *given: Value) -> Value:
    return given[0] if given and truth(given[0]) else fallback


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if truth(value)), None)


def _ternary(yes: Value, no: Value, condition: Value) -> Value:
    if not isinstance(condition, bool):
        raise FunctionError(f"a bool is expected as the last argument, not {kind(condition)}")
    return yes if condition else no


def _fail(message: Value) -> Value:
    raise FunctionError(text(message))


def _to_json(value: Value, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    encoder = json.JSONEncoder(
        ensure_ascii=False, sort_keys=True, separators=separators, indent=indent
    )
    parts: list[str] = []
    size = 0
    for piece in encoder.iterencode(value):
        # Go writes 1 for the float 1.0; numbers come in pieces of their own.
        part = piece.removesuffix(".0") if '"' not in piece else piece
        size += len(part)
        bounded(size)
        parts.append(part)
    result = "".join(parts)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        bounded(len(result) + 5 * result.count(character))
        result = result.replace(character, escape)
    return result


def _from_json(source: Value) -> Value:
    value = json.loads(text(source), object_hook=Dictionary)
    if isinstance(value, list | dict):
        bounded_items(len(value))
    return admit(value)


def _env(name: Value) -> str:
    return os.environ.get(text(name), "")


def _expand_env(source: Value) -> str:
    expanded = re.sub(
        r"\$(?:(\w+)|\{(\w+)\})", lambda m: os.environ.get(m[1] or m[2], ""), text(source)
    )
    bounded(len(expanded))
    return expanded


def _extension(path: Value) -> str:
    name = posixpath.basename(text(path))
    return name[name.rfind(".") :] if "." in name else ""


def _kind_of(value: Value) -> str:
    return kind(value)


_OWN: dict[str, Callable[..., Value]] = {
    "add": _add,
    "add1": lambda value: _add(value, 1),
    "all": lambda *values: all(map(truth, values)),
    "any": lambda *values: any(map(truth, values)),
    "atoi": _atoi,
    "base": lambda path: posixpath.basename(text(path).rstrip("/")) or ("/" if path else "."),
    "biggest": lambda first, *more: max(map(_int64, (first, *more))),
    "ceil": lambda value: float(math.ceil(_float64(value))),
    "clean": lambda path: posixpath.normpath(text(path)),
    "coalesce": _coalesce,
    "default": _default,
    "dir": lambda path: posixpath.dirname(text(path)) or ".",
    "div": _div,
    "empty": lambda value: not truth(value),
    "env": _env,
    "expandenv": _expand_env,
    "ext": _extension,
    "fail": _fail,
    "float64": _float64,
    "floor": lambda value: float(math.floor(_float64(value))),
    "fromJson": _from_json,
    "int": _int64,
    "int64": _int64,
    "isAbs": lambda path: text(path).startswith("/"),
    "kindIs": lambda wanted, value: kind(value) == wanted,
    "kindOf": _kind_of,
    "max": lambda first, *more: max(map(_int64, (first, *more))),
    "min": lambda first, *more: min(map(_int64, (first, *more))),
    "mod": _mod,
    "mul": _mul,
    "round": _round,
    "sub": lambda first, second: _wrapped(_int64(first) - _int64(second)),
    "ternary": _ternary,
    "toJson": _to_json,
    "toPrettyJson": lambda value: _to_json(value, 2),
}

SPRIG: dict[str, Callable[..., Value]] = {**STRINGS, **COLLECTIONS, **REGEX, **_OWN}
"""The functions by the names templates use."""
