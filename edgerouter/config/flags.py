"""Command-line flags into raw options, by Traefik's rules and a few kinder ones.

``--a.b=c``, ``--a.b c`` and ``-a.b=c`` mean the same, names have no case, a bare
flag of a bool or a group means ``true``, a list given twice is joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgerouter.config.options import (
    Option,
    OptionTree,
    ProviderNotLoaded,
    UnknownOption,
    segments_of,
)
from edgerouter.config.raw import Origin, RawOptions

SOURCE = "command line"
CONFIG_FILE = "configfile"


@dataclass(slots=True)
class Flags:
    """What the command line says."""

    options: RawOptions = field(default_factory=RawOptions)
    config_file: str = ""
    problems: list[tuple[Origin, str, str]] = field(default_factory=list)
    """Where, the option's path, what is wrong."""


def parse_flags(argv: Sequence[str], tree: OptionTree) -> Flags:
    """Read the arguments after the program's (and the command's) name."""
    flags = Flags()
    rest = list(argv)
    given: dict[str, str] = {}
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name:
            flags.problems.append(
                (Origin(SOURCE, argument), "", "unexpected argument; options start with --")
            )
            continue
        origin = Origin(SOURCE, f"--{name}")
        if name.lower() == CONFIG_FILE:
            flags.config_file = value if equals else _next_value(rest)
            if not flags.config_file:
                flags.problems.append((origin, "configFile", "needs the path of a file"))
            continue
        try:
            path, option = tree.resolve(segments_of(name))
        except (UnknownOption, ProviderNotLoaded) as error:
            if not equals and rest and not rest[0].startswith("-"):
                rest.pop(0)
            flags.problems.append((origin, name, str(error)))
            continue
        if not equals:
            bare = _bare_value(option, rest)
            if bare is None:
                flags.problems.append((origin, name, f"needs a value ({option.type_name})"))
                continue
            value = bare
        place = ".".join(str(part) for part in path).lower()
        if option.kind == "list" and place in given:
            value = f"{given[place]},{value}"
        given[place] = value
        flags.options.put(path, value, origin)
    return flags


def _next_value(rest: list[str]) -> str:
    return rest.pop(0) if rest and not rest[0].startswith("-") else ""


def _bare_value(option: Option, rest: list[str]) -> str | None:
    """Return the value of a flag without ``=``, taking the next argument when it is one."""
    following = rest[0] if rest else "-"
    if option.kind == "anything":
        return "true" if following.startswith("-") else rest.pop(0)
    if option.takes_no_value:
        return rest.pop(0) if following.lower() in {"true", "false"} else "true"
    if following.startswith("-") and not _is_negative_number(following):
        return None
    return rest.pop(0)


def _is_negative_number(text: str) -> bool:
    return text[1:2].isdigit()
