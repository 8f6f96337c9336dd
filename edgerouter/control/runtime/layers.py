"""Routers below routers (``parentRefs``): who is above and below whom, and what cannot be.

A router without ``parentRefs`` is a root: it alone has entry points and TLS. A router that
others name as their parent has no service: after its middlewares one of those below takes
the request. Traefik calls this multi-layer routing.
"""

from collections.abc import Iterator, Mapping, Sequence

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.control.runtime.model import RouterInfo, missing

DEEPEST = 32
"""Layers, the root's included; a request passes them one inside the other."""

_FOR_ROOTS = {
    "tls": "tls",
    "observability": "observability",
    "entry_points": "entryPoints",
}
"""Options that only roots have."""


def connect(families: Mapping[str, Sequence[RouterInfo]]) -> list[Diagnostic]:
    """Note parents and children of all routers; return what is wrong.

    Args:
        families: Each router by its name, with the copies for entry points made of it.
    """
    routers = {info.name: info for infos in families.values() for info in infos}
    below = {name: info for name, info in routers.items() if info.config.parent_refs}
    if not below:
        return []
    found = [each for info in below.values() for each in _link(info, families)]
    walk = _Walk(routers)
    for name in sorted(routers.keys() - below.keys()):
        if routers[name].children:
            walk.visit(routers[name], ())
    for name, info in below.items():
        if name not in walk.heights and info.parents:
            info.parents.clear()
            message = "no router without parentRefs is above it, so no request comes to it"
            walk.found += _report(info, "disable", message)
    return found + walk.found


def settle(routers: Mapping[str, RouterInfo]) -> list[Diagnostic]:
    """Disable parents without any child in service; return the findings."""
    parents = [info for info in routers.values() if info.children]
    found: list[Diagnostic] = []
    before = -1
    while len(found) != before:
        before = len(found)
        for info in parents:
            if info.is_served and not any(routers[name].is_served for name in info.children):
                message = f"none of the routers below it is in service: {', '.join(info.children)}"
                found += _report(info, "disable", message)
    return found


def _link(info: RouterInfo, families: Mapping[str, Sequence[RouterInfo]]) -> Iterator[Diagnostic]:
    config = info.config
    for name in dict.fromkeys(config.parent_refs):
        if name not in families:
            yield from _report(info, "warn", missing("parent router", name, families))
        info.parents += [parent.name for parent in families.get(name, ())]
    for parent in (each for name in config.parent_refs for each in families.get(name, ())):
        if info.name not in parent.children:
            parent.children.append(info.name)
    if not info.parents:
        yield from _report(info, "disable", "it has no parent router, so no request comes to it")
    for name, written in _FOR_ROOTS.items():
        if getattr(config, name) not in (None, []):
            message = f"{written} is for routers without parentRefs only; set it on the parent"
            yield from _report(info, "disable", message)


class _Walk:
    """Goes from roots down, and opens circles where they close."""

    def __init__(self, routers: Mapping[str, RouterInfo]) -> None:
        self._routers = routers
        self.heights: dict[str, int] = {}
        """How many layers are in and below the routers that were reached."""
        self.found: list[Diagnostic] = []

    def visit(self, info: RouterInfo, path: tuple[str, ...]) -> None:
        path = (*path, info.name)
        self.heights[info.name] = 1
        for name in sorted(info.children):
            child = self._routers[name]
            if name in path:
                info.children.remove(name)
                circle = " -> ".join([*path[path.index(name) :], name])
                message = f"the parentRefs go in a circle: {circle}"
                self.found += _report(info, "disable", message)
                continue
            if name not in self.heights and len(path) < DEEPEST:
                self.visit(child, path)
            if self.heights.get(name, DEEPEST) >= DEEPEST:
                message = f"more than {DEEPEST} layers of routers: it is below {info.name}"
                self.found += _report(child, "disable", message)
                continue
            self.heights[info.name] = max(self.heights[info.name], self.heights[name] + 1)


def _report(info: RouterInfo, severity: str, message: str) -> Iterator[Diagnostic]:
    """Note a finding at the router, and yield it unless a provider has said what is wrong."""
    was_served = info.is_served
    if severity == "disable":
        info.disable(message)
    else:
        info.warn(message)
    if was_served:
        yield info.diagnostic("error", message)
