"""One file into a configuration: template, YAML or TOML, dynamic configuration."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.document import DocumentError, parse_document
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import decode_mapping
from edgerouter.gotemplate import Template, TemplateError
from edgerouter.provider import normalize

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one text says; nothing when it cannot be read at all."""

    configuration: DynamicConfiguration | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_good(self) -> bool:
        return all(diagnostic.severity != "error" for diagnostic in self.diagnostics)


def load_text(
    text: str,
    path: Path,
    *,
    provider: str,
    log_template: bool = False,
    as_traefik: bool = False,
) -> Loaded:
    """Return what ``text``, the content of ``path``, configures; never raises for a mistake.

    ``as_traefik``: what Traefik loads is no error.
    """
    try:
        rendered = _render(text, path, log_template)
        document = parse_document(rendered, path.suffix)
    except TemplateError as error:
        return _unusable(
            provider, path, error.line, f"the template cannot be used: {error.message}"
        )
    except DocumentError as error:
        return _unusable(provider, path, error.line, error.message)
    configuration, found = decode_mapping(
        document.values, str(path), provider, as_traefik=as_traefik
    )
    diagnostics = (replace(d, source=_place(path, document.line_of(d.key))) for d in found)
    return Loaded(configuration, tuple(diagnostics))


def unreadable(path: Path, error: Exception, *, provider: str) -> Loaded:
    """Return what is known of a file that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return _unusable(provider, path, 0, f"the file cannot be read: {reason or error}")


def _render(text: str, path: Path, log_template: bool) -> str:
    if "{{" not in text:
        return text
    rendered: str = Template.parse(text).render({}, {"normalize": normalize, "split": _split})
    if log_template:
        log.debug("Template content of %s:\n%s", path, text)
        log.debug("Rendering result of %s:\n%s", path, rendered)
    return rendered


def _split(text: str, separator: str) -> list[str]:
    """Split as Go's ``strings.Split``; sprig's function of that name takes them the other way."""
    return text.split(separator) if separator else list(text)


def _unusable(provider: str, path: Path, line: int, message: str) -> Loaded:
    return Loaded(None, (Diagnostic("error", message, provider, _place(path, line)),))


def _place(path: Path, line: int) -> str:
    return f"{path}:{line}" if line else str(path)


def find_files(
    directory: Path, extensions: Iterable[str], above: tuple[Path, ...] = ()
) -> list[Path]:
    """Return the files below ``directory`` that count, in the order of their names.

    Kubernetes mounts a volume as symbolic links into ``..data``; what starts with ``..`` is its
    own business and would be read twice.

    Args:
        directory: Where to look, and in every directory below.
        extensions: With their dots.
        above: Directories that are being looked at, which links may lead back to.

    Raises:
        OSError: The directory cannot be read.
    """
    known = frozenset(extensions)
    above = (*above, directory.resolve())
    found: list[Path] = []
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(".."):
            continue
        if not entry.is_dir():
            found.extend([entry] if entry.suffix.lower() in known else [])
        elif entry.resolve() not in above:
            found.extend(find_files(entry, known, above))
    return found
