"""The configurations of all providers into one.

They cannot contradict each other, as containers of one provider can (``containers.py``): their
names are qualified (``api@docker``) when they come together.
"""

from collections.abc import Mapping
from typing import Any

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import (
    DynamicConfiguration,
    HTTPConfiguration,
    TCPConfiguration,
    TLSConfiguration,
    UDPConfiguration,
)
from edgerouter.config.elements import SECTIONS
from edgerouter.config.qualify import qualify_section
from edgerouter.config.schema import fields_of

COMPANIONS = ("sources", "keys", "notes", "warnings", "errors")
"""What a configuration says about elements, by element path."""


def configuration_of(
    sections: Mapping[str, Mapping[str, Any]], companions: Mapping[str, Mapping[str, Any]]
) -> DynamicConfiguration:
    """Return the configuration of groups by section, with its ``COMPANIONS``."""
    return DynamicConfiguration(
        http=HTTPConfiguration(**sections["http"]),
        tcp=TCPConfiguration(**sections["tcp"]),
        udp=UDPConfiguration(**sections["udp"]),
        tls=TLSConfiguration(**sections["tls"]),
        **companions,
    )


def merge_providers(
    configurations: Mapping[str, DynamicConfiguration],
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Merge the configurations of all providers under qualified names.

    The TLS options and the store named ``default`` are not qualified: where several providers
    define one, none counts.
    """
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    companions: dict[str, dict[str, Any]] = {companion: {} for companion in COMPANIONS}
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
        for companion, known in companions.items():
            said = getattr(configuration, companion)
            known.update({_element(name, provider): item for name, item in said.items()})
    for group, providers in defaults.items():
        if len(providers) > 1:
            del sections["tls"][group]["default"]
            diagnostics.append(_several_defaults(group, providers))
    sections["tls"]["certificates"] = certificates
    return configuration_of(sections, companions), diagnostics


def _element(element: str, provider: str) -> str:
    """Return the element path with its name qualified."""
    section, group, *name = element.split(".", 2)
    if not name:
        return element
    if section == "tls" and name == ["default"]:
        return element
    return f"{section}.{group}.{name[0]}@{provider}"


def _several_defaults(group: str, providers: list[str]) -> Diagnostic:
    what = "TLS options" if group == "options" else "certificate store"
    message = (
        f'the {what} named "default" are defined by several providers '
        f"({', '.join(providers)}); none of them counts; define them in one place"
    )
    return Diagnostic("error", message, element=f"tls.{group}.default")
