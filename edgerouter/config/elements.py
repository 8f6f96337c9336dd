"""A nested mapping (labels or a file) into a dynamic configuration, element by element.

A mistake belongs to one element: that element is kept with its errors, so that
it can be shown and serves nothing; everything else is as if it were not there.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from edgerouter.config.decode import OWN_VALUE, InTraefik, Problem, decode
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import MiddlewareDefinition
from edgerouter.config.own_root import overlaid
from edgerouter.config.schema import FieldSpec, fields_of
from edgerouter.config.types import NotInLabels, printable, suggestion

SECTIONS = ("http", "tcp", "udp", "tls")

KeyOf = Callable[[str], str]
"""Gives the key a path stands for, as the user wrote it."""


def decode_mapping(
    raw: Mapping[str, Any],
    source: str,
    provider: str,
    prefix: str = "",
    *,
    as_traefik: bool = False,
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Return the configuration of a file's content and what is wrong with it; never raises.

    Args:
        raw: The parsed file.
        source: Where it comes from, e.g. ``/etc/edgerouter/dynamic.yml``.
        provider: The provider's name.
        prefix: Stands before every reported key.
        as_traefik: What Traefik loads is no error.
    """
    start = f"{prefix.rstrip('.')}." if prefix else ""
    content, place = overlaid(raw)

    def key_of(path: str) -> str:
        return start + place(path)

    reader = Reader(source, provider, text=False, key_of=key_of, as_traefik=as_traefik)
    reader.read(content)
    return reader.configuration(), reader.diagnostics


class Reader:
    """Reads one mapping."""

    def __init__(
        self,
        source: str,
        provider: str,
        *,
        text: bool,
        key_of: KeyOf,
        as_traefik: bool = False,
    ) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._source = source
        self._provider = provider
        self._text = text
        self._key_of = key_of
        self._as_traefik = as_traefik
        self._parts: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._errors: dict[str, list[str]] = {}
        self._warnings: dict[str, list[str]] = {}
        self.is_refused = False
        """Whether Traefik would drop a container with such labels."""

    def configuration(self) -> DynamicConfiguration:
        models = {spec.name: spec.annotation for spec in fields_of(DynamicConfiguration)}
        sections = {name: models[name](**parts) for name, parts in self._parts.items()}
        return DynamicConfiguration(
            **sections,
            sources=self._sources,
            keys=self._keys,
            warnings=self._warnings,
            errors=self._errors,
        )

    def read(self, raw: Mapping[str, Any]) -> None:
        models = {spec.name: spec.annotation for spec in fields_of(DynamicConfiguration)}
        for key, content in _with_encodable_names(raw).items():
            name = key.lower()
            if name not in SECTIONS:
                near = suggestion(str(key), SECTIONS)
                message = f'unknown section "{key}"; it is ignored{near}'
                self._report(Problem(str(key), message, "warning"))
            elif isinstance(content, Mapping):
                self._section(name, models[name], content, str(key))
            elif content is not None:
                self._fail(str(key), "expected a group of options")

    def _section(self, section: str, model: type, raw: Mapping[str, Any], path: str) -> None:
        specs = {spec.alias.lower(): spec for spec in fields_of(model)}
        for key, content in _with_encodable_names(raw).items():
            if key == OWN_VALUE:
                self._fail(path, "expected a group of options")
                continue
            place = f"{path}.{key}"
            spec = specs.get(str(key).lower())
            if spec is None:
                near = suggestion(str(key), [spec.alias for spec in specs.values()])
                self._fail(place, f'unknown option "{key}"; it is ignored{near}')
            elif self._text and spec.marked(NotInLabels):
                message = f'"{spec.alias}" cannot be set by labels; use a file'
                self._report(Problem(place, message, in_traefik="ignored"))
            elif content is not None:
                self._group(section, spec, content, place)

    def _group(self, section: str, spec: FieldSpec, raw: Any, path: str) -> None:
        stem = f"{section}.{spec.alias}"
        if get_origin(spec.annotation) is list:
            model = get_args(spec.annotation)[0]
            if not isinstance(raw, list):
                self._fail(path, "expected a list")
                return
            made = [
                self._element(f"{stem}[{index}]", model, item, f"{path}[{index}]")
                for index, item in enumerate(raw)
            ]
            self._parts.setdefault(section, {})[spec.name] = made
        elif isinstance(raw, Mapping):
            if OWN_VALUE in raw:
                self._fail(path, "expected names with their options below")
            model = get_args(spec.annotation)[1]
            made_by_name = {
                str(name): self._element(f"{stem}.{name}", model, item, f"{path}.{name}")
                for name, item in _with_encodable_names(raw).items()
                if name != OWN_VALUE
            }
            self._parts.setdefault(section, {})[spec.name] = made_by_name
        else:
            self._fail(path, "expected names with their options below")

    def _element(self, element: str, model: Any, raw: Any, path: str) -> Any:
        self._sources[element] = self._source
        self._keys[element] = self._key_of(path)
        if "@" in element:
            message = 'a name must not contain "@"'
            self._report(Problem(path, message, in_traefik="disabled"), element)
        if element.startswith("tls.stores.") and element != "tls.stores.default":
            message = 'the only certificate store is "default"'
            self._report(Problem(path, message, in_traefik="disabled"), element)
        if model is MiddlewareDefinition:
            return self._middleware(element, raw, path)
        if not isinstance(raw, Mapping):
            message = "cannot be a standalone element; set one of its options"
            in_traefik: InTraefik = "refused" if isinstance(raw, list) else "ignored"
            self._report(Problem(path, message, in_traefik=in_traefik), element)
            raw = {}
        decoded = decode(model, raw, path=path, text=self._text, as_traefik=self._as_traefik)
        for problem in decoded.problems:
            self._report(problem, element)
        return decoded.value

    def _middleware(self, element: str, raw: Any, path: str) -> MiddlewareDefinition:
        kinds = {}
        if isinstance(raw, Mapping):
            named = _with_encodable_names(raw)
            kinds = {k: v for k, v in named.items() if k != OWN_VALUE and v is not None}
        if len(kinds) != 1:
            what = f"sets several types ({', '.join(sorted(kinds))})" if kinds else "has no type"
            remedy = "name exactly one type below it, such as stripPrefix"
            message = f"the middleware {what}; {remedy}"
            self._report(Problem(path, message, in_traefik="disabled"), element)
            return MiddlewareDefinition(type=min(kinds, default=""))
        (kind, options), *_ = kinds.items()
        if isinstance(options, list):
            self._fail(f"{path}.{kind}", "expected a group of options, got a list", element)
            options = None
        elif isinstance(options, bool):
            options = "true" if options else "false"
        return MiddlewareDefinition(
            type=kind,
            options=options if isinstance(options, (Mapping, str)) else None,
            is_text=self._text,
        )

    def _fail(self, path: str, message: str, element: str = "") -> None:
        self._report(Problem(path, message), element)

    def _report(self, problem: Problem, element: str = "") -> None:
        key = self._key_of(problem.path)
        severity = problem.severity
        is_error = severity == "error"
        self.is_refused |= is_error and problem.in_traefik == "refused"
        if self._as_traefik and problem.in_traefik != "refused":
            severity = "warning"
            is_error = is_error and problem.in_traefik == "disabled"
        if element:
            of_elements = self._errors if is_error else self._warnings
            of_elements.setdefault(element, []).append(f"{key}: {problem.message}")
        self.diagnostics.append(
            Diagnostic(severity, problem.message, self._provider, self._source, key, element)
        )


def _with_encodable_names(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``raw`` with names that can be written in a message and on the wire."""
    return {printable(str(name)): item for name, item in raw.items()}
