"""Which container is older, where the age decides: that of its place, not its own.

A container that is re-created must not lose its names to one that has been there all the time.
"""

from collections.abc import Iterable

from edgerouter.config.containers import Place
from edgerouter_docker.inventory import Container


class Seniority:
    """Since when places are taken; a place keeps its age as long as some container has it."""

    def __init__(self) -> None:
        self._since: dict[Place, str] = {}

    def sorted(self, containers: Iterable[Container]) -> list[Container]:
        """Return containers, those of the oldest place first, and forget all other places."""
        known, since = self._since, dict[Place, str]()
        given = list(containers)
        for container in given:
            place, created = container.place, container.created_at
            earlier = since.get(place, known.get(place, created))
            since[place] = min(earlier, created)
        self._since = since
        return sorted(given, key=lambda c: (since[c.place], c.place, c.created_at, c.id))
