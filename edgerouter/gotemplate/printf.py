"""Go's ``Sprintf`` for the values templates have."""

import json
import re
from collections.abc import Iterator

from edgerouter.gotemplate.values import (
    FunctionError,
    Value,
    bounded,
    go_string,
    kind,
    text,
)

_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.|$)", re.DOTALL)
_INTEGER = frozenset("dboxX")
_TYPES = {"map": "map[string]interface {}", "slice": "[]interface {}", "invalid": "<nil>"}
_FLOAT = frozenset("eEfFgG")
MAX_WIDTH = 10_000


def go_quote(value: str) -> str:
    """Quote a text as ``%q`` does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")


def sprintf(template: Value, *values: Value) -> str:
    """Format ``values``; mistakes show in the result as in Go, e.g. ``%!d(string=x)``.

    Raises:
        FunctionError: A width or the result is too large.
    """
    source = text(template)
    parts: list[str] = []
    size = position = 0
    rest = iter(values)
    for verb in _VERB.finditer(source):
        for part in (source[position : verb.start()], _format(verb, rest)):
            size += len(part)
            bounded(size)
            parts.append(part)
        position = verb.end()
    parts.append(source[position:])
    extra = ", ".join(f"{kind(value)}={go_string(value)}" for value in rest)
    return "".join(parts) + (f"%!(EXTRA {extra})" if extra else "")


def _format(verb: "re.Match[str]", values: Iterator[Value]) -> str:
    flags, width_text, precision_text, letter = verb.groups()
    if letter == "%":
        return "%"
    if not letter:
        return "%!(NOVERB)"
    width = _number(width_text, values)
    precision = _number(precision_text, values) if "." in verb[0] else None
    if "." in verb[0] and precision is None:
        precision = 0
    try:
        value = next(values)
    except StopIteration:
        return f"%!{letter}(MISSING)"
    formatted = _value(letter, value, flags, precision)
    if formatted is None:
        shown = "<nil>" if value is None else f"{kind(value)}={go_string(value)}"
        formatted = f"%!{letter}({shown})"
    return _pad(formatted, flags, width or 0, numeric=kind(value) in ("int", "float64"))


def _number(text_: str | None, values: Iterator[Value]) -> int | None:
    number = next(values, 0) if text_ == "*" else int(text_) if text_ else None
    if number is not None and (not isinstance(number, int) or not 0 <= number <= MAX_WIDTH):
        raise FunctionError(f"a width or precision must be from 0 to {MAX_WIDTH}")
    return number


def _value(letter: str, value: Value, flags: str, precision: int | None) -> str | None:
    """Format one value, or return None when the verb does not fit."""
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if letter == "v":
        shown = go_string(value)
        return f'"{shown}"' if "#" in flags and isinstance(value, str) else shown
    if letter == "T":
        return _TYPES.get(kind(value), kind(value))
    match kind(value), letter:
        case "int", _:
            return _integer(letter, value, sign + ("#" if "#" in flags else ""))
        case "float64", _ if letter in _FLOAT:
            if letter in "gG" and precision is None:
                return (sign if value >= 0 else "") + go_string(value)
            return format(value, f"{sign}.{6 if precision is None else precision}{letter}")
        case "string", "s" | "q" | "x" | "X":
            return _text(letter, value if precision is None else value[:precision])
        case ("bool", "t") | ("map" | "slice", "s"):
            return go_string(value)
    return None


def _integer(letter: str, value: int, flags: str) -> str | None:
    if letter in _INTEGER:
        return format(value, flags + letter)
    character = chr(value) if 0 <= value < 0x110000 else "\ufffd"
    return {"c": character, "q": f"'{character}'", "U": f"U+{value:04X}"}.get(letter)


def _text(letter: str, value: str) -> str:
    if letter in "xX":
        digits = value.encode("utf-8", "surrogateescape").hex()
        return digits.upper() if letter == "X" else digits
    return go_quote(value) if letter == "q" else value


def _pad(formatted: str, flags: str, width: int, *, numeric: bool) -> str:
    if "-" in flags:
        return formatted.ljust(width)
    if "0" in flags and numeric:
        return formatted.zfill(width)
    return formatted.rjust(width)
