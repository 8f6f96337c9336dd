"""The text of a file into nested values, with the line of every key.

YAML is read as version 1.2 and Go read it: ``yes`` and ``on`` are text, no dates, no
base-60 numbers, no key twice.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

EXTENSIONS = frozenset({".yml", ".yaml", ".toml"})


class DocumentError(Exception):
    """The text is no YAML or TOML of options; line and column count from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    values: Mapping[str, Any]
    lines: Mapping[str, int]
    """The line of each key by its path, ``http.routers.api.rule``, in lower case."""

    def line_of(self, path: str) -> int:
        """Return the line of ``path`` or of the nearest key above it; 0 if there is none."""
        path = path.lower()
        while path:
            if path in self.lines:
                return self.lines[path]
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return 0


def parse_document(text: str, extension: str, *, folds_case: bool = False) -> Document:
    """Return the content of a file with the given extension (``.yml``).

    Args:
        text: What the file holds.
        extension: One of ``EXTENSIONS``; the case does not matter.
        folds_case: Names that differ in case only stand for the same (YAML).

    Raises:
        DocumentError: The text is malformed or holds no options by name.
    """
    try:
        return _toml(text) if extension.lower() == ".toml" else _yaml(text, folds_case=folds_case)
    except RecursionError as error:
        raise DocumentError("not valid: groups and lists are nested too deeply") from error


def _toml(text: str) -> Document:
    try:
        values = tomllib.loads(text.removeprefix("\ufeff"))  # Which YAML readers skip themselves.
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        raise DocumentError(f"not valid TOML: {error}", line) from error
    return Document(values, dict(_toml_lines(text)))


_TABLE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _toml_lines(text: str) -> Iterator[tuple[str, int]]:
    """Find keys by their look; a key inside a multi-line text may be taken for one."""
    table = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _toml_path(header[2], counts)
            if header[1] == "[[":
                index = counts.get(table, -1) + 1
                counts[table] = index
                table = f"{table}[{index}]"
            yield table, number
        elif key := _KEY.match(line):
            name = _toml_path(key[1], {})
            yield (f"{table}.{name}" if table else name), number


def _toml_path(text: str, counts: Mapping[str, int]) -> str:
    """Return a dotted key as a path; tables of an array count as their newest element."""
    path = ""
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    for position, part in enumerate(parts):
        name = part.strip("\"'").lower()
        path = f"{path}.{name}" if path else name
        if path in counts and position < len(parts) - 1:
            path = f"{path}[{counts[path]}]"
    return path


def _yaml(text: str, *, folds_case: bool) -> Document:
    try:
        return _read(_FastLoader, text, folds_case=folds_case)
    except (yaml.YAMLError, UnicodeEncodeError):  # libyaml is given UTF-8.
        pass
    try:  # Again: the slow one says better what is wrong.
        return _read(_Loader, text, folds_case=folds_case)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentError(f"not valid YAML: {problem}", line, column) from error


def _read(kind: Any, text: str, *, folds_case: bool) -> Document:
    loader = kind(text)
    loader.folds_case = folds_case
    try:
        node = loader.get_single_node()
        if node is None:
            return Document({}, {})
        lines = dict(_yaml_lines(node, "", ()))
        values = loader.construct_document(node)
    finally:
        loader.dispose()
    if values is None:
        return Document({}, {})
    if not isinstance(values, dict):
        raise DocumentError("expected options by name, such as http", node.start_mark.line + 1)
    return Document(values, lines)


def _yaml_lines(
    node: yaml.Node, path: str, above: tuple[yaml.Node, ...]
) -> Iterator[tuple[str, int]]:
    if node in above:
        raise yaml.constructor.ConstructorError(
            None, None, "an alias stands inside its own anchor", node.start_mark
        )
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value).lower()
            place = f"{path}.{name}" if path else name
            yield place, key.start_mark.line + 1
            yield from _yaml_lines(value, place, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield f"{path}[{index}]", item.start_mark.line + 1
            yield from _yaml_lines(item, f"{path}[{index}]", above)


class _Mappings(yaml.constructor.SafeConstructor):
    """Text keys, no key twice."""

    folds_case = False

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a name must be a text", key.start_mark
                )
            name = key.value.lower() if self.folds_case else key.value
            if name in seen:
                hint = " (names have no case)" if self.folds_case else ""
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key.value}" stands twice{hint}', key.start_mark
                )
            seen.add(name)
        self.flatten_mapping(node)
        return {
            str(key.value): self.construct_object(value, deep=True) for key, value in node.value
        }


class _Loader(_Mappings, yaml.SafeLoader):
    """YAML 1.2 scalars; in Python."""


_LibYaml: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FastLoader(_Mappings, _LibYaml):  # type: ignore[misc]
    """The same with libyaml, of which Go's reader is a translation, where PyYAML has it."""


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
_FastLoader.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
