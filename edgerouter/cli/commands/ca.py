"""``edgerouter ca root``: the root certificate of the internal CA, for clients to trust."""

import sys
from collections.abc import Mapping, Sequence

NAME = "ca"
SUMMARY = "Prints the root certificate of the internal CA."
USAGE = "edgerouter ca root [--option=value]..."


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the root (PEM); it is made when there is none yet."""
    if not argv or argv[0] != "root":
        sys.stderr.write(f"edgerouter ca: usage: {USAGE}\n")
        return 2
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )
    from edgerouter.control.certificates.internal import internal_ca  # noqa: PLC0415 - see above.

    try:
        configuration = load_static(argv[1:], environ).configuration
    except StaticConfigurationError as error:
        sys.stderr.write(f"edgerouter ca: wrong configuration: {error}\n")
        return 1
    sys.stdout.write(internal_ca(configuration).root())
    return 0
