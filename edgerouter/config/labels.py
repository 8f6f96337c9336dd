"""Container labels into dynamic configuration, by Traefik's grammar (``docs/labels.md``).

Unlike Traefik, a mistake disables the element it belongs to and not the whole
container, and a label that nobody reads is reported. ``edgerouter.`` is a second
root with the same grammar; its labels win over those of ``traefik.``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.elements import SECTIONS, Reader, decode_mapping
from edgerouter.config.flat import nest
from edgerouter.config.types import did_you_mean, is_unicode, printable, suggestion

__all__ = ["KNOWN_LABELS", "ROOTS", "Labels", "decode_labels", "decode_mapping", "read_labels"]

ROOTS = ("traefik", "edgerouter")
"""Later roots win."""

KNOWN_LABELS = frozenset(
    {
        "enable",
        "docker.network",
        "docker.allownonrunning",
        "docker.lbswarm",
        "swarm.network",
        "swarm.lbswarm",
        "certificate.names",
        "certificate.signal",
        "certificate.exec",
        "certificate.restart",
    }
)
"""Labels below a root that are no configuration but are read by the Docker provider."""

_VERSION_1 = frozenset({"backend", "frontend", "port", "protocol", "weight", "domain", "tags"})


def decode_labels(
    labels: Mapping[str, str], *, source: str, provider: str
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Return what ``labels`` configure and everything that is wrong with them; never raises.

    Args:
        labels: All labels of a container; those of other programs are left alone.
        source: The container, e.g. ``container shop-api-1``.
        provider: The provider's name.
    """
    read = read_labels(labels, source=source, provider=provider)
    return read.configuration, read.diagnostics


@dataclass(frozen=True, slots=True)
class Labels:
    """What the labels of a container say."""

    configuration: DynamicConfiguration
    diagnostics: list[Diagnostic]
    is_refused: bool
    """Whether Traefik would drop the container because of them."""
    mistaken_router: str
    """A label that seems to be about routers and does not do what it says; empty: none."""


def read_labels(
    labels: Mapping[str, str], *, source: str, provider: str, as_traefik: bool = False
) -> Labels:
    """Return what ``decode_labels`` does, and what else is to be known.

    ``as_traefik``: what Traefik ignores in labels disables nothing.
    """
    collected = _collect(labels)
    nested = nest({path: label.value for path, label in collected.paths.items()})
    written = _Written(collected.paths)
    reader = Reader(source, provider, text=True, key_of=written.key_of, as_traefik=as_traefik)
    reader.read(nested.tree)
    configuration = reader.configuration()
    found = list(reader.diagnostics)
    for severity, key, message in collected.findings:
        found.append(Diagnostic(severity, message, provider, source, key))
    for problem in nested.problems:
        key = collected.paths[problem.path].key
        elements = _elements_of(problem.path, configuration)
        element = elements[0] if len(elements) == 1 else ""
        found.append(Diagnostic("error", problem.message, provider, source, key, element))
        for element in elements:
            configuration.errors.setdefault(element, []).append(f"{key}: {problem.message}")
    found.sort(key=lambda finding: (finding.key, finding.message))
    is_refused = (
        reader.is_refused or bool(nested.problems) or any(map(_has_root_in_capitals, labels))
    )
    mistaken = (d.key for d in found if d.severity == "error" or d.key in collected.ignored)
    return Labels(configuration, found, is_refused, next(filter(_is_about_routers, mistaken), ""))


def _has_root_in_capitals(key: str) -> bool:
    root, _, path = key.partition(".")
    is_ours = root.lower() == "traefik" != root
    return is_ours and path.partition(".")[0].lower() in SECTIONS


def _is_about_routers(key: str) -> bool:
    """Tell whether a label is, or may be meant to be, about routers."""
    _, *parts = key.lower().split(".")
    beginning = [part for part in parts if part][:2]
    return beginning in _ROUTED or any(did_you_mean(part, ["routers"]) for part in beginning)


_ROUTED = (["http"], ["tcp"], ["udp"])
_CONFINING = frozenset({"middlewares", "entrypoints", "tls"})
"""Options without which a router serves more than it was to serve."""


@dataclass(frozen=True, slots=True)
class _Label:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class _Collected:
    paths: dict[str, _Label]
    """The labels that configure something, by their path below the root."""
    findings: list[tuple[Literal["error", "warning"], str, str]]
    ignored: set[str]
    """Labels that are likely meant for us and that nobody reads."""


def _collect(labels: Mapping[str, str]) -> _Collected:
    """Sort out the labels that configure something; report those that nobody will read."""
    by_folded: dict[str, tuple[str, _Label]] = {}
    collected = _Collected({}, [], set())
    order = sorted(labels, key=lambda key: (_root_rank(key), key))
    for key in order:
        root, _, path = key.partition(".")
        is_read = False
        if not is_unicode(key):
            finding = "the label is ignored: its name is not valid Unicode" if root in ROOTS else ""
        elif root not in ROOTS:
            finding = _foreign(root, path)
        elif path.partition(".")[0].lower() not in SECTIONS:
            finding = _unread(root, path)
        else:
            finding, is_read = "", True
            earlier = by_folded.get(path.lower())
            if earlier is not None:
                finding = f"replaces {earlier[1].key}, which says the same option again"
            label = _Label(key, labels[key])
            by_folded[path.lower()] = (earlier[0] if earlier else path, label)
        if finding:
            collected.findings.append(("warning", printable(key), finding))
            if not is_read:
                collected.ignored.add(printable(key))
    collected.paths.update(by_folded.values())
    return collected


def _root_rank(key: str) -> int:
    root = key.partition(".")[0]
    return ROOTS.index(root) if root in ROOTS else -1


def _foreign(root: str, path: str) -> str:
    """Return a warning if a foreign label is likely meant for us, else an empty string."""
    first = path.partition(".")[0].lower()
    if first not in {*SECTIONS, "enable"}:
        return ""
    if root.lower() in ROOTS:
        return f'the label is ignored: write "{root.lower()}" in lower case'
    near = did_you_mean(root, ROOTS)
    return f'the label is ignored; did you mean "{near}.{path}"?' if near else ""


def _unread(root: str, path: str) -> str:
    """Return a warning for a label below our roots that is no configuration and not known."""
    lowered = path.lower()
    if lowered in KNOWN_LABELS:
        return ""
    first = lowered.partition(".")[0]
    if first in _VERSION_1:
        return f'"{root}.{first}" is a label of Traefik 1 and is ignored; see docs/labels.md'
    head, _, rest = path.partition(".")
    near = did_you_mean(path, KNOWN_LABELS)
    if near is None and rest:
        section = did_you_mean(head, SECTIONS)
        near = f"{section}.{rest}" if section else None
    meant = f'; did you mean "{root}.{near}"?' if near else suggestion(path, KNOWN_LABELS)
    return f"the label is unknown and ignored{meant}"


class _Written:
    """Finds the label as the user wrote it for a path of the decoded tree."""

    def __init__(self, paths: Mapping[str, _Label]) -> None:
        self._labels = {path.lower(): label.key for path, label in paths.items()}
        self._groups: dict[str, str] = {}
        for path, label in paths.items():
            for group in _groups(path):
                start = label.key[: len(label.key) - (len(path) - len(group))]
                self._groups.setdefault(group.lower(), start)

    def key_of(self, path: str) -> str:
        folded = path.lower()
        return self._labels.get(folded) or self._groups.get(folded) or path


def _groups(path: str) -> Iterable[str]:
    for index, character in enumerate(path):
        if character in ".[" and index:
            yield path[:index]
        elif character == "]":
            yield path[: index + 1]


def _elements_of(path: str, configuration: DynamicConfiguration) -> list[str]:
    """Return the elements a broken key may belong to.

    A key that names no router may be that of any, which could serve too much without the label.
    """
    parts = [part for part in path.lower().split(".") if part]
    start = ".".join(parts[:3])
    elements = list(configuration.sources)
    named = [name for name in elements if name.lower() == start]
    if named or parts[1:2] != ["routers"] or not _CONFINING.intersection(parts):
        return named
    return [name for name in elements if name.startswith(f"{parts[0]}.routers.")]
