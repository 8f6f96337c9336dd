"""Variables of DNS accounts: of the process, or of a file, so that one resolver can use several."""

from collections.abc import Mapping
from pathlib import Path


def read_environment(where: str, file: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``environ`` with the variables of ``file``: ``NAME=value`` per line, ``#`` comments.

    Raises:
        ValueError: The file cannot be read; ``where`` names the option.
    """
    if not file:
        return environ
    try:
        lines = Path(file).read_text().splitlines()
    except OSError as error:
        raise ValueError(f"{where}: {file}: {error.strerror or error}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{where}: {file}, line {number}: write NAME=value")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return {**environ, **found}


def variable(environ: Mapping[str, str], *names: str) -> str:
    """Return the first variable that is set; ``<NAME>_FILE`` names a file with the value.

    Raises:
        ValueError: Such a file cannot be read.
    """
    for name in names:
        if environ.get(name):
            return environ[name]
        if path := environ.get(f"{name}_FILE"):
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                raise ValueError(f"{name}_FILE={path}: {error.strerror or error}") from error
    return ""
