"""The command line: which command runs. Each is one file in ``cli/commands``.

A command module has ``NAME``, ``SUMMARY``, ``USAGE`` and ``run(argv, environ)``,
which returns the exit status: 0 for success, 1 for failure, 2 for wrong use. It is
imported only when it is used, so that small commands are quick.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

COMMANDS = {
    "run": "edgerouter.cli.commands.run",
    "demo": "edgerouter.cli.commands.demo",
    "healthcheck": "edgerouter.cli.commands.healthcheck",
    "drain": "edgerouter.cli.commands.drain",
    "undrain": "edgerouter.cli.commands.undrain",
    "cert": "edgerouter.cli.commands.cert",
    "acme": "edgerouter.cli.commands.acme",
    "ca": "edgerouter.cli.commands.ca",
    "ranges": "edgerouter.cli.commands.ranges",
    "version": "edgerouter.cli.commands.version",
}
"""Command and its module; ``run`` is meant when no command is given."""

HELP = frozenset({"-h", "-help", "--help"})


class Command(Protocol):
    """What a module in ``cli/commands`` offers."""

    NAME: str
    SUMMARY: str
    USAGE: str

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> int:
        """Do it and return the exit status."""
        ...


def command(name: str) -> Command:
    """Import the module of a command."""
    return cast("Command", import_module(COMMANDS[name]))


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command that the arguments (without the program's name) ask for."""
    name, rest = ("run", argv) if not argv or argv[0].startswith("-") else (argv[0], argv[1:])
    if name not in COMMANDS:
        return _unknown(name)
    if any(argument in HELP for argument in rest):
        from edgerouter.cli.help import print_help  # noqa: PLC0415 - loads every model.

        print_help(command(name), overview=name == "run")
        return 0
    return command(name).run(rest, environ)


def _unknown(name: str) -> int:
    from edgerouter.config.types import suggestion  # noqa: PLC0415 - for this message only.

    known = ", ".join(COMMANDS)
    message = f'edgerouter: unknown command "{name}"{suggestion(name, COMMANDS)}'
    sys.stderr.write(f"{message}\nCommands: {known}. Options start with --.\n")
    return 2
