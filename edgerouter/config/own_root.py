"""The root ``edgerouter`` of a file: what Traefik does not know, beside what it does.

Traefik loads a file with a root that it does not know, but not one with an unknown
middleware. So what stands below ``edgerouter`` is laid over the rest, option by
option, as labels with that root are.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

ROOT = "edgerouter"
_NAMES = 2
"""How deep the names of elements stand, whose case counts: ``http.routers.NAME``."""


def overlaid(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], Callable[[str], str]]:
    """Return a file's content with its own root laid over the rest.

    The function tells where an option stands in the file.
    """
    root = next((key for key in raw if str(key).lower() == ROOT), None)
    own = raw[root] if root is not None else None
    if not isinstance(own, Mapping):
        return raw, str
    rest = {key: value for key, value in raw.items() if key != root}
    paths = set(_paths(own, ""))

    def place(path: str) -> str:
        return f"{root}.{path}" if path.partition("[")[0] in paths else path

    merged, shared = _merge(rest, own, 0, "")
    paths -= shared
    return merged, place


def _merge(
    under: Mapping[str, Any], over: Mapping[str, Any], depth: int, path: str
) -> tuple[dict[str, Any], set[str]]:
    """Return both in one, and the paths of groups that are in both."""
    merged = dict(under)
    shared = set()
    for key, value in over.items():
        place = f"{path}.{key}" if path else str(key)
        known = key if depth == _NAMES else _spelled(key, under)
        below = under.get(known)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[known], found = _merge(below, value, depth + 1, place)
            shared |= found | {place}
        else:
            merged.pop(known, None)
            merged[key] = value
    return merged, shared


def _spelled(key: str, among: Mapping[str, Any]) -> str:
    return next((each for each in among if str(each).lower() == str(key).lower()), key)


def _paths(group: Mapping[str, Any], above: str) -> Iterator[str]:
    for key, value in group.items():
        path = f"{above}.{key}" if above else str(key)
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, path)
