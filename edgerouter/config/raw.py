"""Raw options: one nested mapping of what a source says, and where each value stood.

The three sources (file, environment, flags) each become a ``RawOptions``; ``merged``
lays one over the other leaf by leaf, without regard to case.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from edgerouter.config.decode import OWN_VALUE
from edgerouter.config.options import Segment


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stood."""

    source: str
    """``command line``, ``environment`` or the file."""
    key: str
    """The flag, the variable or the option path as the user wrote it."""


@dataclass(slots=True)
class RawOptions:
    """What a source says."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    """By lower-case option path."""

    def put(self, path: Sequence[Segment], value: Any, origin: Origin) -> None:
        """Set the value of one option; groups on the way are created."""
        put_value(self.values, path, value)
        self.origins[".".join(str(part) for part in path).lower()] = origin

    def origin_of(self, path: str) -> Origin | None:
        """Return where the option, one below it, or the nearest one above it, was written."""
        place = path.lower()
        while place:
            if place in self.origins:
                return self.origins[place]
            below = (key for key in self.origins if key.startswith((f"{place}.", f"{place}[")))
            if (first := next(below, None)) is not None:
                return self.origins[first]
            cut = max(place.rfind("."), place.rfind("["))
            place = place[:cut] if cut > 0 else ""
        return None

    def paths(self) -> Iterator[str]:
        """Yield the lower-case path of every option that was given."""
        yield from self.origins


def put_value(values: dict[str, Any], path: Sequence[Segment], value: Any) -> None:
    """Put a value into nested groups, beside a group's own value if it has children."""
    group = values
    for segment in path[:-1]:
        group = _group(group, segment)
    last = path[-1]
    if last.index is not None:
        _list(group, last)[last.index] = value
        return
    key = find_key(group, last.name)
    if isinstance(group.get(key), dict) and not isinstance(value, dict):
        group[key][OWN_VALUE] = value
    else:
        group[key] = value


def _group(values: dict[str, Any], segment: Segment) -> dict[str, Any]:
    if segment.index is None:
        return _own(values, find_key(values, segment.name))
    return _own(_list(values, segment), segment.index)


def _own(container: Any, key: Any) -> dict[str, Any]:
    """Return the group under ``key``; a scalar that stands there becomes its own value."""
    present = container.get(key) if isinstance(container, dict) else container[key]
    if not isinstance(present, dict):
        container[key] = {} if present is None else {OWN_VALUE: present}
    group: dict[str, Any] = container[key]
    return group


def _list(values: dict[str, Any], segment: Segment) -> list[Any]:
    key = find_key(values, segment.name)
    if not isinstance(values.get(key), list):
        values[key] = []
    items: list[Any] = values[key]
    missing = (segment.index or 0) + 1 - len(items)
    items.extend(None for _ in range(missing))
    return items


def find_key(values: Mapping[str, Any], name: str) -> str:
    """Return the key that equals ``name`` without case, else ``name`` itself."""
    if name in values:
        return name
    return next((key for key in values if key.lower() == name.lower()), name)


def merged(*sources: RawOptions) -> RawOptions:
    """Lay sources over each other, the strongest last."""
    result = RawOptions()
    for source in sources:
        result.values = _over(result.values, source.values)
        result.origins.update(source.origins)
    result.values = {name: _without_gaps(value) for name, value in result.values.items()}
    return result


def _without_gaps(value: Any) -> Any:
    """Leave out the positions of lists that nobody has given."""
    if isinstance(value, Mapping):
        return {name: _without_gaps(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_gaps(item) for item in value if item is not None]
    return value


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(below)
    for name, value in above.items():
        key = find_key(values, name)
        if key != name and key.islower():
            # The environment has no case; a name that has one was written on purpose.
            values = {name if present == key else present: old for present, old in values.items()}
            key = name
        values[key] = _merge(values.get(key), value)
    return values


def _merge(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return _over(below, above)
    if isinstance(below, Mapping):
        # ``--api`` over a group of the file keeps the group; ``--api=false`` switches it off.
        return {**below, OWN_VALUE: above}
    if isinstance(above, Mapping):
        return dict(above)
    if isinstance(below, list) and _has_positions(above):
        return [old if new is None else _merge(old, new) for old, new in zip_longest(below, above)]
    return above


def _has_positions(value: Any) -> bool:
    """Tell whether a list holds groups, which flags and the environment name by position."""
    return isinstance(value, list) and all(
        item is None or isinstance(item, Mapping) for item in value
    )
