"""``edgerouter ca root``: the root certificate of the internal CA, for clients to trust.

The running router is asked, for it knows which one it uses; without one, the root
that its options name is read. None is ever made here: nobody would serve by it.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgerouter.cli.orders import Unanswered, ask, find_socket

if TYPE_CHECKING:
    from edgerouter.config.static import StaticConfiguration

NAME = "ca"
SUMMARY = "Prints the root certificate of the internal CA."
USAGE = (
    "edgerouter ca root [--edgerouter.runtimeDir=DIRECTORY]"
    " [--edgerouter.internalCA.storage=DIRECTORY]"
)

TIMEOUT = 30.0
"""Seconds for the router's answer."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the root (PEM); 1 with the reason when it is not known."""
    if not argv or argv[0] != "root":
        sys.stderr.write(f"edgerouter ca: usage: {USAGE}\n")
        return 2
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )

    options = argv[1:]
    try:
        configuration = load_static(options, environ).configuration
    except StaticConfigurationError as error:
        return _fail(f"wrong configuration: {error}")
    try:
        answer = ask(find_socket(options, environ), {"command": "root"}, TIMEOUT)
    except Unanswered as error:
        return _kept(configuration, str(error))
    if _is_named(configuration) and answer["storage"] != str(_storage(configuration)):
        return _kept(configuration, f"the running router has its CA in {answer['storage']}")
    sys.stdout.write(answer["root"])
    return 0


def _kept(configuration: "StaticConfiguration", why: str) -> int:
    """Print the root that is kept where the options say, as no router could be asked: ``why``."""
    from edgerouter.control.certificates.internal import internal_ca  # noqa: PLC0415 - see above.

    if not _is_named(configuration):
        return _fail(
            f"{why}; or name the directory of its CA, --edgerouter.internalCA.storage=DIRECTORY"
        )
    try:
        root = internal_ca(configuration).kept_root()
    except (OSError, ValueError) as error:
        return _fail(f"{why}, and there is no root in {_storage(configuration)}: {error}")
    sys.stdout.write(root)
    return 0


def _is_named(configuration: "StaticConfiguration") -> bool:
    """Tell whether the options name the directory of the CA."""
    return "storage" in configuration.edgerouter.internal_ca.model_fields_set


def _storage(configuration: "StaticConfiguration") -> Path:
    return Path(configuration.edgerouter.internal_ca.storage).resolve()


def _fail(reason: str) -> int:
    sys.stderr.write(f"edgerouter ca: {reason}\n")
    return 1
