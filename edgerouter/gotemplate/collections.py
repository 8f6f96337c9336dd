"""sprig's functions for lists and maps. Results are new values, but for ``set`` and ``unset``."""

from collections.abc import Callable
from itertools import chain

from edgerouter.gotemplate.strings import to_string, to_strings
from edgerouter.gotemplate.values import (
    Dictionary,
    FunctionError,
    Value,
    bounded_items,
    integer,
    items,
    kind,
    mapping,
    text,
    truth,
)


def _list(*values: Value) -> list[Value]:
    return list(values)


def _first(values: Value) -> Value:
    found = items(values)
    return found[0] if found else None


def _last(values: Value) -> Value:
    found = items(values)
    return found[-1] if found else None


def _append(values: Value, value: Value) -> list[Value]:
    bounded_items(len(items(values)) + 1)
    return [*items(values), value]


def _prepend(values: Value, value: Value) -> list[Value]:
    bounded_items(len(items(values)) + 1)
    return [value, *items(values)]


def _concat(*lists: Value) -> list[Value]:
    bounded_items(sum(len(items(values)) for values in lists))
    return list(chain.from_iterable(lists))


def _scalar(value: Value) -> tuple[str, Value]:
    """Return what makes two plain values equal; Go tells 1 from 1.0 and from true."""
    if kind(value) in ("map", "slice"):
        raise FunctionError(f"{kind(value)} inside a list cannot be compared")
    return kind(value), value


def _has(value: Value, values: Value) -> bool:
    return values is not None and _scalar(value) in map(_scalar, items(values))


def _uniq(values: Value) -> list[Value]:
    found: dict[tuple[str, Value], Value] = {}
    for value in items(values):
        found.setdefault(_scalar(value), value)
    return list(found.values())


def _without(values: Value, *unwanted: Value) -> list[Value]:
    excluded = set(map(_scalar, unwanted))
    return [value for value in items(values) if _scalar(value) not in excluded]


def _sort_alpha(values: Value) -> list[str]:
    return sorted(to_strings(values))


def _until(count: Value) -> list[int]:
    number = integer(count)
    return _until_step(0, number, 1 if number >= 0 else -1)


def _until_step(start: Value, stop: Value, step: Value) -> list[int]:
    if integer(step) == 0:
        return []
    numbers = range(integer(start), integer(stop), integer(step))
    bounded_items(len(numbers) if abs(numbers.start) + abs(numbers.stop) < 1 << 62 else 1 << 62)
    return list(numbers)


def _dict(*pairs: Value) -> Dictionary:
    keys = [to_string(key) for key in pairs[::2]]
    values = [*pairs[1::2], ""] if len(pairs) % 2 else pairs[1::2]
    return Dictionary(zip(keys, values, strict=True))


def _get(values: Value, key: Value) -> Value:
    return mapping(values).get(text(key), "")


def _own(values: Value) -> Dictionary:
    if isinstance(values, Dictionary):
        return values
    raise FunctionError("only a map made with dict can be changed")


def _set(values: Value, key: Value, value: Value) -> Dictionary:
    _own(values)[text(key)] = value
    bounded_items(len(values))
    return _own(values)


def _unset(values: Value, key: Value) -> Dictionary:
    _own(values).pop(text(key), None)
    return _own(values)


def _has_key(values: Value, key: Value) -> bool:
    return text(key) in mapping(values)


def _keys(*maps: Value) -> list[str]:
    return [key for values in maps for key in sorted(mapping(values))]


def _values(values: Value) -> list[Value]:
    return [mapping(values)[key] for key in sorted(mapping(values))]


def _pluck(key: Value, *maps: Value) -> list[Value]:
    return [mapping(m)[text(key)] for m in maps if text(key) in mapping(m)]


def _pick(values: Value, *keys: Value) -> Dictionary:
    return Dictionary({key: mapping(values)[key] for key in keys if key in mapping(values)})


def _omit(values: Value, *keys: Value) -> Dictionary:
    return Dictionary({key: value for key, value in mapping(values).items() if key not in keys})


def _merge(target: Value, *sources: Value) -> Dictionary:
    """Add what the first map lacks."""
    result = _own(target)
    for source in sources:
        for key, value in mapping(source).items():
            if not truth(result.get(key)):
                result[key] = value
    bounded_items(len(result))
    return result


def _dig(*arguments: Value) -> Value:
    if len(arguments) < 3:
        raise FunctionError("keys, a default and a map are expected")
    *keys, default, values = arguments
    for key in keys:
        if text(key) not in mapping(values):
            return default
        values = values[key]
    return values


COLLECTIONS: dict[str, Callable[..., Value]] = {
    "append": _append,
    "compact": lambda values: [value for value in items(values) if truth(value)],
    "concat": _concat,
    "dict": _dict,
    "dig": _dig,
    "first": _first,
    "get": _get,
    "has": _has,
    "hasKey": _has_key,
    "initial": lambda values: items(values)[:-1],
    "keys": _keys,
    "last": _last,
    "list": _list,
    "merge": _merge,
    "omit": _omit,
    "pick": _pick,
    "pluck": _pluck,
    "prepend": _prepend,
    "push": _append,
    "rest": lambda values: items(values)[1:],
    "reverse": lambda values: list(reversed(items(values))),
    "set": _set,
    "sortAlpha": _sort_alpha,
    "tuple": _list,
    "uniq": _uniq,
    "unset": _unset,
    "until": _until,
    "untilStep": _until_step,
    "values": _values,
    "without": _without,
}
