"""Many configurations into one: containers of one provider, then providers.

Containers share unqualified names, so they can contradict each other; providers
cannot, their names are qualified (``api@docker``) when they come together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import (
    DynamicConfiguration,
    HTTPConfiguration,
    TCPConfiguration,
    TLSConfiguration,
    UDPConfiguration,
)
from edgerouter.config.dynamic.http import MiddlewareDefinition, Service
from edgerouter.config.dynamic.tcp import TCPService
from edgerouter.config.dynamic.udp import UDPService
from edgerouter.config.elements import SECTIONS
from edgerouter.config.qualify import qualified, qualify_section
from edgerouter.config.schema import fields_of

# Containers


def merge_containers(
    parts: Iterable[DynamicConfiguration], *, provider: str, compat: str = ""
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Merge the configurations of one provider's containers.

    The same service in several containers becomes one with all their servers. Any other
    difference under one name is a conflict: the older definition keeps serving and the newer
    is reported; with ``compat="traefik"`` the name is deleted from all.

    Args:
        parts: One configuration per container, the oldest first.
        provider: The provider's name.
        compat: ``static.edgerouter.compat``.
    """
    merger = _Merger(provider, compat == "traefik")
    for part in parts:
        merger.add(part)
    return merger.result()


@dataclass(slots=True)
class _Entry:
    """What stands under one name: the definition that serves, and what it came from."""

    value: Any
    sources: list[str]
    key: str
    notes: dict[str, str] | None
    errors: list[str] | None
    identities: set[str] | None = None
    conflict: bool = False
    """With ``compat=traefik``: contradicted, and so deleted."""


@dataclass(slots=True)
class _Merger:
    provider: str
    delete_conflicts: bool
    diagnostics: list[Diagnostic] = field(default_factory=list)
    entries: dict[tuple[str, str], dict[str, _Entry]] = field(default_factory=dict)
    certificates: list[Any] = field(default_factory=list)

    def add(self, part: DynamicConfiguration) -> None:
        for section in SECTIONS:
            model = getattr(part, section)
            for spec in fields_of(type(model)):
                group = getattr(model, spec.name)
                if isinstance(group, list):
                    self.certificates += [item for item in group if item not in self.certificates]
                    continue
                for name, value in group.items():
                    element = f"{section}.{spec.alias}.{name}"
                    self._offer((section, spec.name), name, element, value, part)

    def _offer(
        self,
        group: tuple[str, str],
        name: str,
        element: str,
        value: Any,
        part: DynamicConfiguration,
    ) -> None:
        entries = self.entries.setdefault(group, {})
        errors = part.errors.get(element)
        source = part.sources.get(element, "")
        new = _Entry(value, [source], part.keys.get(element, ""), part.notes.get(element), errors)
        old = entries.get(name)
        if old is None:
            entries[name] = new
        elif bool(old.errors) != bool(errors):
            # A definition that cannot serve does not stand in the way of one that can.
            entries[name] = old if errors else new
        elif _same_service(old.value, value):
            self._join(old, new)
        elif not _same(old.value, value):
            self._conflict(old, new, name, element)

    def _join(self, old: _Entry, new: _Entry) -> None:
        """Add the servers of a further container, each once."""
        servers = old.value.load_balancer.servers
        if old.identities is None:
            old.identities = {_identity(server) for server in servers}
            old.value = _with_servers(old.value, list(servers))
            servers = old.value.load_balancer.servers
        for server in new.value.load_balancer.servers:
            if _identity(server) not in old.identities:
                old.identities.add(_identity(server))
                servers.append(server)
        old.sources += [source for source in new.sources if source not in old.sources]

    def _conflict(self, old: _Entry, new: _Entry, name: str, element: str) -> None:
        kind = element.split(".")[1].removesuffix("s")
        both = f"{old.sources[0]} and {new.sources[0]}"
        if self.delete_conflicts:
            old.conflict = True
            outcome = "the name is deleted from all of them"
        else:
            outcome = f"the older definition, of {old.sources[0]}, keeps serving"
        message = (
            f'{kind} "{name}" is defined differently by {both}; {outcome}; '
            "use another name, or the same options everywhere"
        )
        self.diagnostics.append(
            Diagnostic("error", message, self.provider, new.sources[0], new.key, element)
        )

    def result(self) -> tuple[DynamicConfiguration, list[Diagnostic]]:
        sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        sources, keys, notes, errors = {}, {}, {}, {}
        for (section, group), entries in self.entries.items():
            kept = {name: entry for name, entry in entries.items() if not entry.conflict}
            sections[section][group] = {name: entry.value for name, entry in kept.items()}
            for name, entry in kept.items():
                element = f"{section}.{_alias(section, group)}.{name}"
                sources[element] = ", ".join(source for source in entry.sources if source)
                keys[element] = entry.key
                if entry.notes:
                    notes[element] = entry.notes
                if entry.errors:
                    errors[element] = entry.errors
        sections["tls"]["certificates"] = self.certificates
        return _configuration(sections, sources, keys, notes, errors), self.diagnostics


def _alias(section: str, group: str) -> str:
    model = _SECTION_MODELS[section]
    return next(spec.alias for spec in fields_of(model) if spec.name == group)


_SECTION_MODELS: dict[str, Any] = {
    "http": HTTPConfiguration,
    "tcp": TCPConfiguration,
    "udp": UDPConfiguration,
    "tls": TLSConfiguration,
}


def _configuration(
    sections: Mapping[str, Mapping[str, Any]],
    sources: dict[str, str],
    keys: dict[str, str],
    notes: dict[str, dict[str, str]],
    errors: dict[str, list[str]],
) -> DynamicConfiguration:
    return DynamicConfiguration(
        http=HTTPConfiguration(**sections["http"]),
        tcp=TCPConfiguration(**sections["tcp"]),
        udp=UDPConfiguration(**sections["udp"]),
        tls=TLSConfiguration(**sections["tls"]),
        sources=sources,
        keys=keys,
        notes=notes,
        errors=errors,
    )


def _same_service(old: Any, new: Any) -> bool:
    """Tell whether two load balancers differ in nothing but their servers."""
    if not isinstance(old, Service | TCPService | UDPService) or type(old) is not type(new):
        return False
    if old.load_balancer is None or new.load_balancer is None:
        return False
    return bool(_with_servers(old, []) == _with_servers(new, []))


def _with_servers(service: Any, servers: list[Any]) -> Any:
    balancer = service.load_balancer.model_copy(update={"servers": servers})
    return service.model_copy(update={"load_balancer": balancer})


def _identity(server: Any) -> str:
    return str(getattr(server, "url", "") or getattr(server, "address", "") or server)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, MiddlewareDefinition) and isinstance(new, MiddlewareDefinition):
        return old.type.lower() == new.type.lower() and _folded(old.options) == _folded(new.options)
    return bool(old == new)


def _folded(raw: Any) -> Any:
    """Return raw options with their names in lower case, as they are matched."""
    if isinstance(raw, Mapping):
        return {str(key).lower(): _folded(item) for key, item in raw.items()}
    return [_folded(item) for item in raw] if isinstance(raw, list) else raw


# Providers


def merge_providers(
    configurations: Mapping[str, DynamicConfiguration],
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Merge the configurations of all providers under qualified names.

    The TLS options and the store
    named ``default`` are not qualified: where several providers define one, none counts.
    """
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    companions: list[dict[str, Any]] = [{}, {}, {}, {}]
    diagnostics: list[Diagnostic] = []
    certificates: list[Any] = []
    defaults: dict[str, list[str]] = {}
    for provider in sorted(configurations):
        configuration = configurations[provider]
        for section in SECTIONS:
            model = qualify_section(section, getattr(configuration, section), provider)
            for spec in fields_of(type(model)):
                group = getattr(model, spec.name)
                if isinstance(group, list):
                    certificates += group
                    continue
                sections[section].setdefault(spec.name, {}).update(group)
                if section == "tls" and "default" in group:
                    defaults.setdefault(spec.name, []).append(provider)
        parts: list[Mapping[str, Any]] = [
            configuration.sources,
            configuration.keys,
            configuration.notes,
            configuration.errors,
        ]
        for companion, part in zip(companions, parts, strict=True):
            companion.update({_element(name, provider): item for name, item in part.items()})
    for group, providers in defaults.items():
        if len(providers) > 1:
            del sections["tls"][group]["default"]
            diagnostics.append(_several_defaults(group, providers))
    sections["tls"]["certificates"] = certificates
    sources, keys, notes, errors = companions
    return _configuration(sections, sources, keys, notes, errors), diagnostics


def _element(element: str, provider: str) -> str:
    """Return the element path with its name qualified."""
    section, group, *name = element.split(".", 2)
    if not name:
        return element
    if section == "tls":
        return element if name == ["default"] else f"{section}.{group}.{name[0]}@{provider}"
    return f"{section}.{group}.{qualified(name[0], provider)}"


def _several_defaults(group: str, providers: list[str]) -> Diagnostic:
    what = "TLS options" if group == "options" else "certificate store"
    message = (
        f'the {what} named "default" are defined by several providers '
        f"({', '.join(providers)}); none of them counts; define them in one place"
    )
    return Diagnostic("error", message, element=f"tls.{group}.default")
