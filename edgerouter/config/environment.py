"""Environment variables into raw options: ``TRAEFIK_A_B=c`` and ``EDGEROUTER_A_B=c``.

A variable's name is resolved against the models, so an entry point may have an
underscore in its name, which Traefik cannot express. Options of our own need no
second prefix: ``EDGEROUTER_WORKERS`` means ``edgerouter.workers``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgerouter.config.options import (
    Option,
    OptionTree,
    ProviderNotLoaded,
    Segment,
    UnknownOption,
    segment_of,
)
from edgerouter.config.raw import Origin, RawOptions
from edgerouter.config.types import suggestion

SOURCE = "environment"
PREFIXES = ("TRAEFIK_", "EDGEROUTER_")
"""In the order of their strength: ours wins over Traefik's."""

# Docker links and Kubernetes set such variables for a neighbour called "traefik".
_SERVICE_LINK = re.compile(
    r"(NAME|PORT|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?|ENV_\w+)"
)


@dataclass(slots=True)
class Environment:
    """What the environment says."""

    options: RawOptions = field(default_factory=RawOptions)
    config_file: str = ""
    problems: list[tuple[Origin, str, str]] = field(default_factory=list)
    """Where, the option's path, what is wrong."""


def parse_environment(environ: Mapping[str, str], tree: OptionTree) -> Environment:
    """Read the variables that start with one of our prefixes."""
    environment = Environment()
    for prefix in PREFIXES:
        for variable in sorted(name for name in environ if name.startswith(prefix)):
            name = variable.removeprefix(prefix)
            if not _SERVICE_LINK.fullmatch(name):
                _read(environment, tree, variable, name, environ[variable])
    return environment


def _read(environment: Environment, tree: OptionTree, variable: str, name: str, value: str) -> None:
    origin = Origin(SOURCE, variable)
    words = name.lower().split("_")
    if words == ["configfile"]:
        environment.config_file = value
        return
    try:
        path = _resolve(tree, words, own=variable.startswith("EDGEROUTER_"))
    except (UnknownOption, ProviderNotLoaded) as error:
        environment.problems.append((origin, ".".join(words), str(error)))
        return
    environment.options.put(path, value, origin)


def _resolve(tree: OptionTree, words: Sequence[str], *, own: bool) -> list[Segment]:
    roots = tree.children(tree.root)
    if not own or words[0] in {name.lower() for name in roots}:
        return _descend(tree, tree.root, words)
    options = tree.children(roots["edgerouter"])
    if words[0] not in {name.lower() for name in options}:
        hint = suggestion(words[0], [*options, *roots])
        raise UnknownOption(f'unknown option "{words[0]}"{hint}')
    return _descend(tree, tree.root, ["edgerouter", *words])


def _descend(tree: OptionTree, option: Option, words: Sequence[str]) -> list[Segment]:
    """Return the path that the words spell below ``option``."""
    if not words:
        return []
    if option.kind == "anything":
        return [Segment(word) for word in words]
    if option.kind == "map" and option.item is not None:
        return _key(tree, option.item, words)
    if option.kind != "section":
        raise UnknownOption(f'takes a value and has no option "{"_".join(words)}"')
    segment = segment_of(words[0])
    spelling, child = tree.child(option, segment.name)
    index, rest = segment.index, words[1:]
    if child.kind == "list" and child.item is not None and child.item.kind == "section":
        if index is None and rest and rest[0].isdecimal() and len(rest[0]) <= 4:
            index, rest = int(rest[0]), rest[1:]
        if index is None:
            raise UnknownOption(f'"{spelling}" is a list of groups: write {spelling.upper()}_0_...')
        return [Segment(spelling, index), *_descend(tree, child.item, rest)]
    if index is not None:
        raise UnknownOption(f'"{spelling}" is not a list of groups')
    return [Segment(spelling), *_descend(tree, child, rest)]


def _key(tree: OptionTree, item: Option, words: Sequence[str]) -> list[Segment]:
    """Find where the key of a map ends: the shortest key whose rest is an option."""
    if item.kind != "section":
        return [Segment("_".join(words))]
    first_error: UnknownOption | None = None
    if len(words) == 1:
        return [Segment(words[0])]
    for length in range(1, len(words)):
        try:
            rest = _descend(tree, item, words[length:])
        except UnknownOption as error:
            first_error = first_error or error
        else:
            return [Segment("_".join(words[:length])), *rest]
    raise first_error or UnknownOption("is no option")
