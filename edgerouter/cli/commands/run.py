"""``edgerouter`` or ``edgerouter run``: the router itself."""

import sys
from collections.abc import Mapping, Sequence

from edgerouter.control.signals import early_order, obey_early

NAME = "run"
SUMMARY = "Runs the router; what happens without a command."
USAGE = "edgerouter [run] [--option=value]..."

_QUIET = frozenset({"ERROR", "FATAL", "PANIC"})
"""Log levels that hide warnings; those of the start are then written to standard error."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Read the static configuration and serve until the order to stop."""
    obey_early()
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )

    try:
        loaded = load_static(argv, environ)
    except StaticConfigurationError as error:
        for diagnostic in error.diagnostics:
            sys.stderr.write(f"edgerouter: {diagnostic}\n")
        return 2
    if early_order():
        return 0
    if loaded.configuration.log.level in _QUIET:
        for diagnostic in loaded.warnings:
            sys.stderr.write(f"edgerouter: warning: {diagnostic}\n")
    from edgerouter.control import plane  # noqa: PLC0415 - not needed to refuse wrong options.

    return plane.run(loaded.configuration, loaded.warnings)
