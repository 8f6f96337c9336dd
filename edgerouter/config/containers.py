"""Containers of one provider into one configuration, and what becomes of contradictions.

Containers share names. Those that define a name alike share it: a service gets the servers of
all. Where they differ, the older definition serves, and the container whose definition is not in
use has lost: nothing of it may rest on a definition that is not its own. What refers to a lost
name is disabled, in other containers of its project as well, and its servers are in no service of
another, whatever else is alike. Only replicas, containers of one place, stay together: they are
one application.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.elements import SECTIONS
from edgerouter.config.likeness import alike, is_load_balancer, with_servers_of
from edgerouter.config.merge import COMPANIONS, configuration_of
from edgerouter.config.references import references
from edgerouter.config.schema import fields_of


class Place(NamedTuple):
    """Where a container belongs; containers of one place are replicas of each other."""

    project: str
    """What several places belong to; empty: nothing."""
    name: str


def merge_containers(
    parts: Iterable[tuple[Place, DynamicConfiguration]], *, provider: str, compat: str = ""
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Merge the configurations of one provider's containers.

    A definition that is not in use is kept, disabled, as ``<name>~<container>``, so that it can
    be seen. With ``compat="traefik"`` a contradicted name is deleted from all, and that is all.

    Args:
        parts: A place and a configuration for each container, the oldest place first.
        provider: The provider's name.
        compat: ``static.edgerouter.compat``.
    """
    families: dict[str, dict[str, str]] = {}
    contenders = [
        _Contender(place, part, provider, families.setdefault(place.project, {}))
        for place, part in parts
    ]
    merged = _Merged(provider)
    if compat == "traefik":
        merged.delete_contradictions(contenders)
        return merged.result()
    merged.keep_winners(contenders, _settle(contenders))
    return merged.result()


def _settle(contenders: Collection["_Contender"]) -> dict[str, "_Contender"]:
    """Have everybody give up what is another's; return who defines each name in the end."""
    winners = _elect(contenders)
    is_settled = False
    while not is_settled:
        is_settled = True
        for contender in contenders:
            # What an older one cannot serve any more is free for the younger ones.
            if contender.give_up(winners):
                winners = _elect(contenders)
                is_settled = False
    return winners


def _elect(contenders: Iterable["_Contender"]) -> dict[str, "_Contender"]:
    """Return who defines each name: the first whose definition can serve, else the first."""
    winners: dict[str, _Contender] = {}
    for contender in contenders:
        for path in contender.elements:
            winner = winners.setdefault(path, contender)
            if contender.can_serve(path) and not winner.can_serve(path):
                winners[path] = contender
    return winners


@dataclass(slots=True)
class _Contender:
    """One container."""

    place: Place
    part: DynamicConfiguration
    provider: str
    family: dict[str, str]
    """What containers of its project have lost to others, and why; common to all of them."""
    elements: dict[str, Any] = field(init=False)
    """Definitions by element path."""
    lost: dict[str, str] = field(default_factory=dict)
    """The elements that are not what it defined, by path, each with the reason."""

    def __post_init__(self) -> None:
        self.elements = dict(_elements_of(self.part))

    def can_serve(self, path: str) -> bool:
        return path not in self.lost and path not in self.part.errors

    def source(self, path: str) -> str:
        return self.part.sources.get(path, "") or "another container"

    def shares(self, path: str, winner: "_Contender") -> bool:
        """Tell whether what serves under a name of this container is what it defined."""
        if winner is self:
            return True
        is_in_force = self.can_serve(path) or not winner.can_serve(path)
        return is_in_force and alike(self.elements[path], winner.elements[path])

    def give_up(self, winners: dict[str, "_Contender"]) -> bool:
        """Note which elements are lost against ``winners``; tell whether there are more now."""
        before = len(self.lost)
        for path in self.elements:
            if path not in self.lost and not self.shares(path, winners[path]):
                self.lost[path] = self._contradiction(path, winners[path])
        if self.lost:
            self._leave_services(winners)
        self._follow_references()
        if self.place.project:
            foreign = {p: r for p, r in self.lost.items() if self._is_foreign(winners[p])}
            self.family.update(foreign)
        return len(self.lost) > before

    def _is_foreign(self, winner: "_Contender") -> bool:
        return winner.place.project != self.place.project

    def _contradiction(self, path: str, winner: "_Contender") -> str:
        old, new = winner.source(path), self.source(path)
        what = _named(path)
        if path in self.part.errors and winner.can_serve(path):
            return f"{what} of {new} has mistakes; the definition of {old} serves"
        return (
            f"{what} is defined differently by {old} and {new}; the older definition, of {old},"
            " keeps serving; use another name, or the same options everywhere"
        )

    def _leave_services(self, winners: dict[str, "_Contender"]) -> None:
        """Give up the services of other places: who uses them expects other containers."""
        reason = next(iter(self.lost.values()))
        for path, definition in self.elements.items():
            winner = winners[path]
            if path in self.lost or winner.place == self.place or not is_load_balancer(definition):
                continue
            old, new = winner.source(path), self.source(path)
            self.lost[path] = f"{_named(path)} of {old} gets no server of {new}: {reason}"

    def _follow_references(self) -> None:
        """Give up what refers to something lost, as it would get what another has defined."""
        grown = bool(self.lost or self.family)
        while grown:
            grown = False
            for path, definition in self.elements.items():
                if path in self.lost:
                    continue
                for name in references(path, definition, self.provider):
                    if reason := self._why_lost(name):
                        self.lost[path] = f"it refers to {_named(name)}: {reason}"
                        grown = True
                        break

    def _why_lost(self, path: str) -> str:
        """Return why what the container means by a name is not what serves, else nothing."""
        if path in self.elements:
            return self.lost.get(path, "")
        return self.family.get(path, "")

    def joins(self, path: str, winner: "_Contender") -> bool:
        """Tell whether its servers are added to those of the service of ``winner``."""
        definition = self.elements[path]
        return (
            is_load_balancer(definition)
            and path not in self.part.errors
            and (path not in self.lost or self.place == winner.place)
            and alike(definition, winner.elements[path])
        )


class _Merged:
    """What comes out."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self._companions: dict[str, dict[str, Any]] = {name: {} for name in COMPANIONS}
        self._diagnostics: list[Diagnostic] = []
        self._joining: dict[str, list[_Contender]] = {}

    def keep_winners(self, contenders: list[_Contender], winners: Mapping[str, _Contender]) -> None:
        """Take the definitions that are in use, with the servers of all who share them."""
        told: set[tuple[Place, str]] = set()
        for path, winner in winners.items():
            self._add(path, winner, path)
            if path in winner.lost:
                told.add((winner.place, path))
                self._disable(path, winner.lost[path])
                self._report(path, winner.lost[path], winner)
        for contender in contenders:
            for path in contender.elements:
                winner = winners[path]
                if winner is contender:
                    continue
                if path in contender.lost and (contender.place, path) not in told:
                    told.add((contender.place, path))
                    self._show_lost(path, contender, winner)
                if contender.joins(path, winner):
                    self._join(path, contender)

    def delete_contradictions(self, contenders: list[_Contender]) -> None:
        """Take what nobody contradicts, as Traefik does."""
        owners: dict[str, _Contender] = {}
        contradicted: set[str] = set()
        for contender in contenders:
            for path, definition in contender.elements.items():
                owner = owners.setdefault(path, contender)
                if owner is contender:
                    self._add(path, contender, path)
                elif not alike(owner.elements[path], definition):
                    contradicted.add(path)
                    both = f"{owner.source(path)} and {contender.source(path)}"
                    reason = (
                        f"{_named(path)} is defined differently by {both}; the name is deleted from"
                        " all of them; use another name, or the same options everywhere"
                    )
                    self._report(path, reason, contender)
                elif is_load_balancer(definition):
                    self._join(path, contender)
        for path in contradicted:
            self._remove(path)

    def _add(self, path: str, owner: _Contender, origin: str) -> None:
        """Take a definition, and what its container's configuration knows about it."""
        section, group, name = path.split(".", 2)
        self._sections[section].setdefault(group, {})[name] = owner.elements[origin]
        for companion in COMPANIONS:
            known = getattr(owner.part, companion).get(origin)
            if known:
                copied = list(known) if isinstance(known, list) else known
                self._companions[companion][path] = copied

    def _remove(self, path: str) -> None:
        section, group, name = path.split(".", 2)
        del self._sections[section][group][name]
        self._joining.pop(path, None)
        for companion in self._companions.values():
            companion.pop(path, None)

    def _join(self, path: str, contender: _Contender) -> None:
        """Take note of a further container with servers for a service."""
        self._joining.setdefault(path, []).append(contender)

    def _show_lost(self, path: str, contender: _Contender, winner: _Contender) -> None:
        reason = contender.lost[path]
        if path not in contender.part.errors:  # Its mistakes have been told.
            self._report(path, reason, contender)
            if not alike(contender.elements[path], winner.elements[path]):
                self._companions["warnings"].setdefault(path, []).append(reason)
        if not path.startswith("tls."):
            shown = f"{path}~{contender.source(path).rpartition(' ')[2]}"
            self._add(shown, contender, path)
            self._disable(shown, reason)

    def _disable(self, path: str, reason: str) -> None:
        self._companions["errors"].setdefault(path, []).append(reason)

    def _report(self, path: str, reason: str, contender: _Contender) -> None:
        source, key = contender.part.sources.get(path, ""), contender.part.keys.get(path, "")
        self._diagnostics.append(Diagnostic("error", reason, self._provider, source, key, path))

    def result(self) -> tuple[DynamicConfiguration, list[Diagnostic]]:
        for path, contenders in self._joining.items():
            section, group, name = path.split(".", 2)
            elements, sources = self._sections[section][group], self._companions["sources"]
            others = [contender.elements[path] for contender in contenders]
            elements[name] = with_servers_of(elements[name], others)
            named = [sources.get(path, ""), *(c.part.sources.get(path, "") for c in contenders)]
            sources[path] = ", ".join(dict.fromkeys(filter(None, named)))
        merged = configuration_of(self._sections, self._companions)
        return merged, self._diagnostics


def _elements_of(part: DynamicConfiguration) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        model = getattr(part, section)
        for spec in fields_of(type(model)):
            group = getattr(model, spec.name)
            if isinstance(group, dict):
                for name, definition in group.items():
                    yield f"{section}.{spec.alias}.{name}", definition


def _named(path: str) -> str:
    _, group, name = path.split(".", 2)
    return f'{group.removesuffix("s")} "{name}"'
