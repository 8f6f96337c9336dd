"""The configuration file: where it is looked for, and YAML or TOML into raw options.

YAML is read as its version 1.2 (and Go) reads it: ``yes`` and ``on`` are text, no
dates, no base-60 numbers; a key that stands twice is an error.
"""

import re
import tomllib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from edgerouter.config.raw import Origin, RawOptions

EXTENSIONS = ("toml", "yaml", "yml")


class FileProblem(Exception):
    """The file cannot be used; the message says why and what to do."""


def search_paths(environ: Mapping[str, str]) -> list[Path]:
    """Return where a configuration file is looked for, best first: ours, then Traefik's."""
    paths = []
    for name in ("edgerouter", "traefik"):
        folders = [Path("/etc") / name]
        if xdg := environ.get("XDG_CONFIG_HOME"):
            folders.append(Path(xdg))
        if home := environ.get("HOME"):
            folders.append(Path(home) / ".config")
        folders.append(Path())
        paths += [folder / f"{name}.{extension}" for folder in folders for extension in EXTENSIONS]
    return paths


def find_file(environ: Mapping[str, str]) -> Path | None:
    """Return the first configuration file that exists."""
    return next((path for path in search_paths(environ) if path.is_file()), None)


def read_file(path: Path) -> tuple[RawOptions, list[str]]:
    """Read a YAML or TOML file; returns its options and the paths of empty ones.

    Raises:
        FileProblem: It cannot be read, is neither YAML nor TOML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileProblem(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileProblem(f"is not UTF-8 text: {error.reason}") from error
    values = _parse(path.suffix.lower(), text)
    raw = RawOptions(values)
    empty: list[str] = []
    _note_origins(raw, values, "", str(path), empty)
    return raw, empty


def _parse(suffix: str, text: str) -> dict[str, Any]:
    if suffix not in {".toml", ".yaml", ".yml"}:
        raise FileProblem("has an unknown extension; use .yml, .yaml or .toml")
    try:
        # A subclass of SafeLoader makes plain values only.
        values = (
            tomllib.loads(text) if suffix == ".toml" else yaml.load(text, Loader=_Loader)  # noqa: S506
        )
    except tomllib.TOMLDecodeError as error:
        raise FileProblem(f"is not valid TOML: {error}") from error
    except yaml.YAMLError as error:
        raise FileProblem(f"is not valid YAML: {_yaml_error(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise FileProblem("must hold options by name, such as entryPoints")
    return values


def _yaml_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def _note_origins(
    raw: RawOptions, values: Mapping[str, Any], prefix: str, file: str, empty: list[str]
) -> None:
    for key, value in values.items():
        path = f"{prefix}{key}"
        raw.origins[path.lower()] = Origin(file, path)
        if isinstance(value, Mapping):
            _note_origins(raw, value, f"{path}.", file, empty)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    _note_origins(raw, item, f"{path}[{index}].", file, empty)
        elif value is None:
            empty.append(path)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars, text keys, no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value).lower()
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key.value}" stands twice (names have no case)', key.start_mark
                )
            seen.add(name)
        values = super().construct_mapping(node, deep=deep)
        return {str(key): value for key, value in values.items()}


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first)
    )
