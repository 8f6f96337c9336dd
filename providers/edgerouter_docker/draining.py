"""Containers that are drained: they get no new request until they are undrained or start again."""

from collections.abc import Iterable, Mapping

from edgerouter_docker.inventory import Container

SHORTEST_ID = 4
"""Characters of an id that are taken for one."""


class Draining:
    """What is drained, by id, each with the time it had started."""

    def __init__(self) -> None:
        self._drained: dict[str, str] = {}

    def set(self, container: Container, *, is_drained: bool) -> None:
        """Drain or undrain a container."""
        if is_drained:
            self._drained[container.id] = container.started_at
        else:
            self._drained.pop(container.id, None)

    def note(self, container_id: str, container: Container | None) -> None:
        """Take note of what became of a container; a new start ends its drain."""
        started = self._drained.get(container_id)
        if started is not None and (container is None or container.started_at != started):
            del self._drained[container_id]

    def urls(self, servers: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the drained servers of ``servers``, which are given by container."""
        return frozenset(url for i in self._drained for url in servers.get(i, ()))

    def names(self, containers: Mapping[str, Container]) -> list[str]:
        """Return the names of the drained containers."""
        return sorted(containers[i].name for i in self._drained if i in containers)


def find(name: str, containers: Iterable[Container]) -> Container:
    """Return the running container called ``name``.

    That is its name, its id or the beginning of it, or the end of its name after that of a
    project (``web-1`` for ``shop-web-1``).

    Raises:
        LookupError: There is none, or more than one.
    """
    known = [container for container in containers if container.is_running]
    ways = (
        [c for c in known if c.name == name],
        [c for c in known if len(name) >= SHORTEST_ID and c.id.startswith(name)],
        [c for c in known if c.name.endswith((f"-{name}", f"_{name}"))],
    )
    found = next(filter(None, ways), [])
    if not found:
        raise LookupError(f"no running container is called {name}")
    if len(found) > 1:
        names = ", ".join(sorted(c.name for c in found))
        raise LookupError(f"{name} may be any of {names}; write the whole name")
    return found[0]
