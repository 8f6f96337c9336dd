"""The configuration file: where it is looked for, and what it says as raw options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgerouter.config.document import EXTENSIONS, DocumentError, parse_document
from edgerouter.config.raw import Origin, RawOptions

SEARCHED = ("toml", "yaml", "yml")
"""Extensions in the order they are tried."""


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
        paths += [folder / f"{name}.{extension}" for folder in folders for extension in SEARCHED]
    return paths


def find_file(environ: Mapping[str, str]) -> tuple[Path | None, dict[Path, str]]:
    """Return the first configuration file that exists, and folders that do not let us look."""
    closed: dict[Path, str] = {}
    for path in search_paths(environ):
        try:
            if path.is_file():
                return path, closed
        except OSError as error:
            closed[path.parent] = error.strerror or str(error)
    return None, closed


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
    raw = RawOptions(dict(values))
    empty: list[str] = []
    _note_origins(raw, values, "", str(path), empty)
    return raw, empty


def _parse(suffix: str, text: str) -> Mapping[str, Any]:
    if suffix not in EXTENSIONS:
        raise FileProblem("has an unknown extension; use .yml, .yaml or .toml")
    try:
        return parse_document(text, suffix, folds_case=True).values
    except DocumentError as error:
        place = f"line {error.line}, column {error.column}: " if error.column else ""
        start, colon, problem = error.message.partition(": ")
        if not colon:
            raise FileProblem("must hold options by name, such as entryPoints") from error
        raise FileProblem(f"is {start}: {place}{problem}") from error


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
