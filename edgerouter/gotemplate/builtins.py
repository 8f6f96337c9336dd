"""The functions of ``text/template`` itself; ``and`` and ``or`` are part of the interpreter."""

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import quote_plus

from edgerouter.gotemplate.printf import sprintf
from edgerouter.gotemplate.values import (
    Dictionary,
    FunctionError,
    Value,
    bounded,
    go_string,
    integer,
    kind,
    text,
    truth,
)


def _not(value: Value) -> bool:
    return not truth(value)


def _len(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if kind(value) not in ("map", "slice"):
        raise FunctionError(f"{kind(value)} has no length")
    return len(value)


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        if isinstance(value, Mapping):
            value = value[text(key)] if text(key) in value else _zero(value)
        elif kind(value) == "slice":
            value = value[_within(key, len(value))]
        elif isinstance(value, str):
            encoded = value.encode("utf-8", "surrogateescape")
            value = encoded[_within(key, len(encoded))]
        else:
            raise FunctionError(f"{kind(value)} cannot be indexed")
    return value


def _zero(value: Mapping[str, Value]) -> Value:
    """Return what Go finds for a missing key: a map of strings (labels) has empty ones."""
    if isinstance(value, Dictionary) or not all(isinstance(item, str) for item in value.values()):
        return None
    return ""


def _within(key: Value, length: int) -> int:
    place = integer(key)
    if not 0 <= place < length:
        raise FunctionError(f"index {place} is out of range; there are {length} items")
    return place


def _slice(value: Value, *bounds: Value) -> Value:
    if len(bounds) > 2:
        raise FunctionError("at most two bounds are expected")
    if kind(value) not in ("string", "slice"):
        raise FunctionError(f"{kind(value)} cannot be sliced")
    low = integer(bounds[0]) if bounds else 0
    high = integer(bounds[1]) if len(bounds) > 1 else len(value)
    if not 0 <= low <= high <= len(value):
        raise FunctionError(f"bounds {low} and {high} are out of range; there are {len(value)}")
    return value[low:high]


def _print(*values: Value) -> str:
    """Join like Go's ``Sprint``: a space only between two values that are both no strings."""
    parts: list[str] = []
    for place, value in enumerate(values):
        neighbour = place and not isinstance(value, str) and not isinstance(values[place - 1], str)
        parts.append((" " if neighbour else "") + go_string(value))
        bounded(sum(map(len, parts)))
    return "".join(parts)


def _println(*values: Value) -> str:
    parts = [go_string(value) for value in values]
    bounded(sum(map(len, parts)))
    return " ".join(parts) + "\n"


def _comparable(first: Value, second: Value) -> None:
    for value in (first, second):
        if kind(value) in ("map", "slice"):
            raise FunctionError(f"{kind(value)} cannot be compared")
    if kind(first) != kind(second) and first is not None and second is not None:
        raise FunctionError(f"{kind(first)} and {kind(second)} cannot be compared")


def _eq(first: Value, second: Value, *more: Value) -> bool:
    for other in (second, *more):
        _comparable(first, other)
        if first == other:
            return True
    return False


def _ne(first: Value, second: Value) -> bool:
    return not _eq(first, second)


def _lt(first: Value, second: Value) -> bool:
    _comparable(first, second)
    if first is None or second is None or isinstance(first, bool):
        raise FunctionError(f"{kind(first)} has no order")
    return bool(first < second)


def _le(first: Value, second: Value) -> bool:
    return _lt(first, second) or _eq(first, second)


def _gt(first: Value, second: Value) -> bool:
    return not _le(first, second)


def _ge(first: Value, second: Value) -> bool:
    return not _lt(first, second)


def _html(*values: Value) -> str:
    return escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _urlquery(*values: Value) -> str:
    return quote_plus(_print(*values), safe="-_.~", errors="surrogateescape")


def _logic(*_: Value) -> Value:
    """Stand for ``and`` and ``or``, whose arguments the interpreter evaluates one by one."""
    raise FunctionError("cannot be called like this")


BUILTINS: dict[str, Callable[..., Value]] = {
    "and": _logic,
    "eq": _eq,
    "ge": _ge,
    "gt": _gt,
    "html": _html,
    "index": _index,
    "le": _le,
    "len": _len,
    "lt": _lt,
    "ne": _ne,
    "not": _not,
    "or": _logic,
    "print": _print,
    "printf": sprintf,
    "println": _println,
    "slice": _slice,
    "urlquery": _urlquery,
}
