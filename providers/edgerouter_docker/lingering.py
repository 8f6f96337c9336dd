"""Containers that have just gone: their routers stay for a while, without servers.

When a container is replaced the old one is gone before the new one is there. In
between its routers answer 503, or hold requests, instead of 404. Synchronous
bookkeeping with the time passed in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter_docker.inventory import Container

GONE = "gone"
"""The status of a container that lingers; the engine has no such status."""


class Lingering:
    """Containers that have gone less than ``seconds`` ago, by id."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._gone: dict[str, tuple[Container, float]] = {}

    @property
    def containers(self) -> dict[str, Container]:
        """What they looked like, with a status of their own."""
        return {i: container for i, (container, _) in self._gone.items()}

    @property
    def next_deadline(self) -> float | None:
        """When the next one is forgotten."""
        return min((until for _, until in self._gone.values()), default=None)

    def note(self, before: Container | None, after: Container | None, now: float) -> None:
        """Take note of what became of a container; None: it does not exist."""
        if after is not None and after.is_running:
            self._gone.pop(after.id, None)
        elif before is not None and before.is_running and self._seconds:
            self._gone[before.id] = (replace(before, status=GONE), now + self._seconds)

    def expire(self, now: float) -> bool:
        """Forget those whose time is over; tell whether there were any."""
        kept = {i: entry for i, entry in self._gone.items() if entry[1] > now}
        has_expired = len(kept) < len(self._gone)
        self._gone = kept
        return has_expired


def is_replaced(gone: Container, containers: Iterable[Container]) -> bool:
    """Tell whether one of the living ``containers`` has taken the place of one that has gone."""
    return any(
        other.is_running and (other.name == gone.name or other.place == gone.place)
        for other in containers
    )


def names_of(configuration: DynamicConfiguration | None) -> frozenset[str]:
    """Return the elements that a configuration defines, as element paths."""
    if configuration is None:
        return frozenset()
    sections: Mapping[str, object] = {
        f"{section}.{kind}": getattr(getattr(configuration, section), kind)
        for section, kinds in _NAMED.items()
        for kind in kinds
    }
    return frozenset(f"{path}.{name}" for path, names in sections.items() for name in _keys(names))


_NAMED = {
    "http": ("routers", "services", "middlewares"),
    "tcp": ("routers", "services", "middlewares"),
    "udp": ("routers", "services"),
}


def _keys(group: object) -> Iterable[str]:
    return group if isinstance(group, Mapping) else ()
