"""Flat dotted keys into nested mappings: ``a.b[0].c=v`` becomes ``{"a": {"b": [{"c": "v"}]}}``.

Used for labels, and by whoever else reads flat text. Names differing in case
alone are one name; the spelling that sorts first is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgerouter.config.decode import OWN_VALUE, Problem

MAX_DEPTH = 32
"""Deeper keys are refused: no configuration is that deep, and hostile labels must not hurt."""

MAX_INDEX = 9999


@dataclass(frozen=True, slots=True)
class Nested:
    """The tree of everything that could be read, and what could not."""

    tree: dict[str, Any]
    problems: list[Problem]
    """Their paths are keys of the flat mapping."""


def nest(flat: Mapping[str, str]) -> Nested:
    """Turn dotted keys into nested mappings and lists; the result does not depend on their order.

    Elements are numbered as in ``x[0]``; gaps close up. What stands on an element that has
    children as well is kept under the empty key.
    """
    root = _Node()
    problems: list[Problem] = []
    for key in sorted(flat):
        try:
            steps = split_key(key)
            root.at(steps).value = flat[key]
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    tree = root.raw()
    return Nested(tree if isinstance(tree, dict) else {}, problems)


def split_key(key: str) -> list[str | int]:
    """Return the names and indexes of a dotted key.

    Raises:
        ValueError: A name is empty, or an index is not a number in brackets at the end of one.
    """
    steps: list[str | int] = []
    for part in key.split("."):
        name, bracket, index = part.partition("[")
        if not name:
            what = "starts with a bracket" if bracket else "is empty"
            raise ValueError(f"a name between the dots {what}")
        steps.append(name)
        if bracket:
            digits = index.removesuffix("]")
            if not index.endswith("]") or not (digits.isascii() and digits.isdigit()):
                raise ValueError(f'"{part}" is not a name with an index such as {name}[0]')
            if len(digits) > 4:
                raise ValueError(f'the index of "{part}" is larger than {MAX_INDEX}')
            steps.append(int(digits))
    if len(steps) > MAX_DEPTH:
        raise ValueError(f"the key has more than {MAX_DEPTH} levels")
    return steps


@dataclass(slots=True)
class _Node:
    value: str | None = None
    children: dict[str, tuple[str, "_Node"]] = field(default_factory=dict)
    items: dict[int, "_Node"] = field(default_factory=dict)

    def at(self, steps: list[str | int]) -> "_Node":
        node = self
        for step in steps:
            node = node._item(step) if isinstance(step, int) else node._child(step)
        return node

    def _child(self, name: str) -> "_Node":
        if self.items:
            raise ValueError(f'"{name}" stands beside numbered elements; number it as well')
        return self.children.setdefault(name.lower(), (name, _Node()))[1]

    def _item(self, index: int) -> "_Node":
        if self.children:
            raise ValueError("numbered elements stand beside named ones; number all of them")
        return self.items.setdefault(index, _Node())

    def raw(self) -> Any:
        if self.items:
            return [self.items[index].raw() for index in sorted(self.items)]
        if not self.children:
            return {} if self.value is None else self.value
        tree = {name: node.raw() for name, node in self.children.values()}
        return tree if self.value is None else {OWN_VALUE: self.value, **tree}
