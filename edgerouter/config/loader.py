"""From command line, environment and file to the static configuration.

Flags win over the environment, the environment over the file; they are merged leaf
by leaf. Everything that is wrong is collected, so that one start shows all of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgerouter.config.decode import OWN_VALUE, Problem, decode
from edgerouter.config.diagnostics import Diagnostic, Severity
from edgerouter.config.elements import SECTIONS
from edgerouter.config.environment import parse_environment
from edgerouter.config.files import FileProblem, find_file, read_file
from edgerouter.config.flags import parse_flags
from edgerouter.config.options import OptionTree, ProviderNotLoaded, UnknownOption, segments_of
from edgerouter.config.raw import Origin, RawOptions, find_key, merged
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.defaults import with_defaults
from edgerouter.config.static.providers import (
    DEFAULT_PRECEDENCE,
    TRAEFIK_PROVIDERS,
    Providers,
)
from edgerouter.config.static.support import removed_hint, unsupported
from edgerouter.config.static.validate import doubts, findings
from edgerouter.config.types import parse_bool, suggestion

PROVIDER_GROUP = "edgerouter.providers"
"""The entry-point group of provider plug-ins; the same as in ``edgerouter.provider``."""


class StaticConfigurationError(Exception):
    """The static configuration is wrong; the start ends with exit status 2."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.diagnostics = list(diagnostics)


@dataclass(frozen=True, slots=True)
class LoadedStatic:
    """A configuration that can be run."""

    configuration: StaticConfiguration
    warnings: list[Diagnostic]
    """Options without effect and the like, each to be shown once."""
    sources: tuple[str, ...]
    """The file that was read, if any."""


def load_static(
    argv: Sequence[str],
    environ: Mapping[str, str],
    installed: Mapping[str, EntryPoint] | None = None,
) -> LoadedStatic:
    """Read all sources.

    Args:
        argv: The arguments without the program's and the command's name.
        environ: The environment.
        installed: The provider plug-ins; those registered in this installation if not given.

    Raises:
        StaticConfigurationError: Something is unknown or wrong; it lists everything found.
    """
    if installed is None:
        installed = {entry.name: entry for entry in entry_points(group=PROVIDER_GROUP)}
    return _Load(OptionTree(installed)).run(argv, environ)


class _Load:
    """One reading of all sources; collects what is wrong."""

    def __init__(self, tree: OptionTree) -> None:
        self._tree = tree
        self._errors: list[Diagnostic] = []
        self._warnings: list[Diagnostic] = []
        self._raw = RawOptions()
        self._as_traefik = False
        self._sources: tuple[str, ...] = ()

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> LoadedStatic:
        flags = parse_flags(argv, self._tree)
        environment = parse_environment(environ, self._tree)
        file = self._read_file(flags.config_file or environment.config_file, environ)
        self._raw = merged(file, environment.options, flags.options)
        self._as_traefik = _compat(self._raw.values) == "traefik"
        for origin, path, message in flags.problems:
            self._add("error", origin, _with_hint(path, message))
        for origin, path, message in environment.problems:
            ignored = self._as_traefik and origin.key.startswith("TRAEFIK_")
            self._add("warning" if ignored else "error", origin, _with_hint(path, message))
        configuration = with_defaults(self._decode())
        for path, message in findings(configuration):
            self._at("error", path, message)
        for path, message in doubts(configuration):
            self._at("warning", path, message)
        self._check_precedence(configuration.providers)
        self._warn_unsupported(configuration)
        if self._errors:
            raise StaticConfigurationError(self._errors)
        return LoadedStatic(configuration, self._warnings, self._sources)

    def _read_file(self, name: str, environ: Mapping[str, str]) -> RawOptions:
        path, closed = (Path(name), {}) if name else find_file(environ)
        for folder, reason in closed.items():
            message = f"cannot be looked into for a configuration file: {reason}"
            self._warnings.append(Diagnostic("warning", message, source=str(folder)))
        if path is None:
            return RawOptions()
        self._sources = (str(path),)
        try:
            raw, empty = read_file(path)
        except FileProblem as problem:
            self._errors.append(Diagnostic("error", str(problem), source=str(path)))
            return RawOptions()
        for option in empty:
            message = f"has no value and is ignored; {self._remedy_for_empty(option)}"
            self._add("warning", Origin(str(path), option), message)
        return raw

    def _remedy_for_empty(self, path: str) -> str:
        try:
            _, option = self._tree.resolve(segments_of(path))
        except (UnknownOption, ProviderNotLoaded):
            return "leave it out"
        name = path.rpartition(".")[2]
        if option.allow_empty or option.kind == "anything":
            return f"to switch it on write {name}: {{}}"
        return "give it one or leave it out"

    def _decode(self) -> StaticConfiguration:
        values = dict(self._raw.values)
        key = find_key(values, "providers")
        group = values.pop(key, None)
        common = self._split_providers(group) if isinstance(group, Mapping) else group
        if common is not None:
            values[key] = common
        decoded = decode(StaticConfiguration, values)
        for problem in decoded.problems:
            self._problem(problem)
        if not isinstance(group, Mapping):
            return decoded.value
        providers = decoded.value.providers.model_copy(
            update={"enabled": self._providers(group, common)}
        )
        return decoded.value.model_copy(update={"providers": providers})

    def _split_providers(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return what holds for all providers; the rest are providers' own options."""
        known = {alias.lower() for alias in _common_names()}
        return {name: value for name, value in group.items() if name.lower() in known}

    def _providers(self, group: Mapping[str, Any], common: Any) -> dict[str, Any]:
        enabled = {}
        for name, options in group.items():
            if name in common or options is None:
                continue
            if name == OWN_VALUE:
                self._at("error", "providers", "takes no value; name one, such as providers.docker")
                continue
            path = f"providers.{name}"
            spelling = self._tree.known_provider(name)
            if spelling is None:
                known = [*TRAEFIK_PROVIDERS, *self._tree.provider_names(), *_common_names()]
                message = f'unknown option "{name}"{suggestion(name, known)}'
                self._problem(Problem(path, message))
                continue
            decoded = self._provider_options(spelling, options, path)
            if decoded is not None:
                enabled[spelling] = decoded
        return enabled

    def _provider_options(self, name: str, options: Any, path: str) -> Any:
        own = options.get(OWN_VALUE, "true") if isinstance(options, Mapping) else options
        try:
            switched_on = parse_bool(str(own).lower())
        except ValueError:
            self._at("error", path, f'expected options or true, got "{own}"')
            return None
        if not switched_on:
            return None
        try:
            model = self._tree.provider_options(name)
        except ProviderNotLoaded as error:
            self._at("error", path, f"{error}; reinstall it or leave it out")
            return None
        if model is None:
            self._at("warning", path, "this provider is not supported yet; it provides nothing")
            return None
        decoded = decode(model, options if isinstance(options, Mapping) else {}, path=path)
        for problem in decoded.problems:
            self._problem(problem)
        return decoded.value

    def _check_precedence(self, providers: Providers) -> None:
        known = {*DEFAULT_PRECEDENCE, *(name.lower() for name in self._tree.provider_names())}
        for name in providers.precedence:
            if name.lower() not in known:
                message = f'there is no provider "{name}"{suggestion(name, known)}'
                self._at("error", "providers.precedence", message)

    def _warn_unsupported(self, configuration: StaticConfiguration) -> None:
        for path, reason in unsupported(self._raw.paths()).items():
            if not _is_default(configuration, path):
                self._at("warning", self._spelled(path), f"is not supported yet: {reason}")

    def _spelled(self, path: str) -> str:
        try:
            segments, _ = self._tree.resolve(segments_of(path))
        except UnknownOption:
            return path  # A name in a file may hold dots and brackets.
        return ".".join(str(segment) for segment in segments)

    def _problem(self, problem: Problem) -> None:
        unknown_root = "." not in problem.path and problem.message.startswith("unknown option")
        ignored = unknown_root and self._as_traefik and removed_hint(problem.path) is None
        severity: Severity = "warning" if ignored else problem.severity
        self._at(severity, problem.path, _with_hint(problem.path, problem.message))

    def _at(self, severity: Severity, path: str, message: str) -> None:
        """Report on an option, with the place where it was written."""
        origin = self._raw.origin_of(path)
        if origin is None:
            self._add(severity, Origin("", path), message)
        elif origin.key.lower() == path.lower() or origin.key.lower() == f"--{path}".lower():
            self._add(severity, origin, message)
        elif origin.source in self._sources:
            self._add(severity, Origin(origin.source, path), message)
        else:
            self._add(severity, origin, f"{path}: {message}")

    def _add(self, severity: Severity, origin: Origin, message: str) -> None:
        diagnostic = Diagnostic(severity, message, source=origin.source, key=origin.key)
        (self._errors if severity == "error" else self._warnings).append(diagnostic)


def _is_default(configuration: StaticConfiguration, path: str) -> bool:
    """Tell whether the option at ``path`` (lower case) has the value it has when not given."""
    value: Any = configuration
    default: Any = None
    for name in path.split("."):
        if isinstance(value, BaseModel):
            fields = type(value).model_fields
            field = next((key for key in fields if str(fields[key].alias).lower() == name), None)
            if field is None:
                return True
            default = fields[field].get_default(call_default_factory=True, validated_data={})
            value = getattr(value, field)
        elif isinstance(value, Mapping):
            default = None
            value = value.get(find_key(value, name))
    return bool(value == default)


def _common_names() -> Iterator[str]:
    for info in Providers.model_fields.values():
        if info.alias is not None and not info.exclude:
            yield info.alias


def _compat(values: Mapping[str, Any]) -> str:
    own = values.get(find_key(values, "edgerouter"))
    return str(own.get(find_key(own, "compat"), "")) if isinstance(own, Mapping) else ""


def _with_hint(path: str, message: str) -> str:
    hint = removed_hint(path)
    if hint is not None:
        return f"this option of Traefik v2 does not exist any more; {hint}"
    root = path.partition(".")[0]
    if root.lower() in SECTIONS and message.startswith("unknown option"):
        return (
            f'"{root}" is dynamic configuration: write it to a file of its own, and name that in'
            " providers.file.filename"
        )
    return message
