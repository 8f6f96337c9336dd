"""The configurations of many files into one: the first definition of a name counts."""

from collections.abc import Iterable
from typing import Any

from edgerouter.config.decode import fields_of
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.elements import SECTIONS
from edgerouter.config.merge import COMPANIONS


def combine(
    parts: Iterable[DynamicConfiguration], *, provider: str
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Return one configuration; a name that a later file defines again is reported and skipped."""
    result = _Combination(provider)
    for part in parts:
        result.add(part)
    return result.configuration(), result.diagnostics


class _Combination:
    def __init__(self, provider: str) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._provider = provider
        self._sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self._companions: dict[str, dict[str, Any]] = {name: {} for name in COMPANIONS}

    def configuration(self) -> DynamicConfiguration:
        models = {spec.name: spec.annotation for spec in fields_of(DynamicConfiguration)}
        sections = {name: models[name](**groups) for name, groups in self._sections.items()}
        return DynamicConfiguration(**sections, **self._companions)

    def add(self, part: DynamicConfiguration) -> None:
        for section in SECTIONS:
            model = getattr(part, section)
            for spec in fields_of(type(model)):
                stem = f"{section}.{spec.alias}"
                group = getattr(model, spec.name)
                if isinstance(group, list):
                    self._add_list(section, spec.name, stem, group, part)
                else:
                    self._add_names(section, spec.name, stem, group, part)

    def _add_list(
        self, section: str, name: str, stem: str, items: list[Any], part: DynamicConfiguration
    ) -> None:
        known = self._sections[section].setdefault(name, [])
        for index, item in enumerate(items):
            if item not in known:
                self._accompany(part, f"{stem}[{index}]", f"{stem}[{len(known)}]")
                known.append(item)

    def _add_names(
        self,
        section: str,
        group: str,
        stem: str,
        elements: dict[str, Any],
        part: DynamicConfiguration,
    ) -> None:
        known = self._sections[section].setdefault(group, {})
        for name, value in elements.items():
            element = f"{stem}.{name}"
            if name in known:
                self._skip(element, part)
            else:
                known[name] = value
                self._accompany(part, element, element)

    def _accompany(self, part: DynamicConfiguration, old: str, new: str) -> None:
        for name in COMPANIONS:
            companion = getattr(part, name)
            if old in companion:
                self._companions[name][new] = companion[old]

    def _skip(self, element: str, part: DynamicConfiguration) -> None:
        first = self._companions["sources"].get(element, "another file")
        self.diagnostics.append(
            Diagnostic(
                "warning",
                f"already configured in {first}, skipped here; use another name",
                self._provider,
                part.sources.get(element, ""),
                part.keys.get(element, ""),
                element,
            )
        )
