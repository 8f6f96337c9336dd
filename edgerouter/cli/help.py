"""Help made from the models: every flag with its type, its default and its meaning."""

import os
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from edgerouter.cli import COMMANDS, Command, command
from edgerouter.config.options import Option, OptionTree
from edgerouter.config.types import format_duration
from edgerouter.provider import installed_providers

_INTRODUCTION = """\
Options come from flags, from environment variables (EDGEROUTER_A_B or
TRAEFIK_A_B for --a.b) and from a file (YAML or TOML); flags win over the
environment, the environment over the file. Names of options have no case.
<name> stands for a name of your choice.
"""


def print_help(wanted: Command, *, overview: bool) -> None:
    """Print the help of a command to standard output."""
    try:
        sys.stdout.write("\n".join(_lines(wanted, overview=overview)) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (``| head``) has seen enough; what is buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines(wanted: Command, *, overview: bool) -> Iterator[str]:
    yield f"{wanted.NAME}: {wanted.SUMMARY}"
    yield ""
    yield f"Usage: {wanted.USAGE}"
    if overview:
        yield "       edgerouter COMMAND [--help]"
        yield ""
        yield "Commands:"
        for name in COMMANDS:
            yield f"  {name:<12} {command(name).SUMMARY}"
    if wanted.NAME == "version":
        return
    yield ""
    yield _INTRODUCTION
    yield "Flags:"
    yield "  --configFile (text)"
    yield "      File to read; otherwise edgerouter.{toml,yaml,yml}, then traefik.*, is looked for."
    for path, option in OptionTree(installed_providers()).walk():
        yield f"  --{path} ({_type_and_default(option)})"
        yield textwrap.fill(
            option.description, 80, initial_indent=" " * 6, subsequent_indent=" " * 6
        )


def _type_and_default(option: Option) -> str:
    default = default_text(option)
    return f"{type_text(option)}, default {default}" if default else type_text(option)


def type_text(option: Option) -> str:
    """Return the type as a user reads it; a group that is switched on as a whole is a bool."""
    return "bool" if option.kind == "section" else option.type_name


def default_text(option: Option) -> str:
    """Return the default as it would be written, empty if there is none."""
    if option.kind == "section":
        return "false" if option.default is None else ""
    if option.default is None:
        return ""
    if option.type_name == "duration":
        return format_duration(option.default)
    return _written(option.default)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_written(item) for item in value)
    return "" if isinstance(value, dict) else str(value)
