"""edgerouter as a process, started like Traefik in ``traefik.py``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.router_process import RouterProcess

_FLAGS = {"log.level": "INFO", "edgerouter.internalca.storage": "{directory}/internal-ca"}


def edgerouter(
    directory: Path,
    entrypoints: Sequence[str],
    flags: Mapping[str, str],
    dynamic: Mapping[str, Any],
) -> RouterProcess:
    """Return edgerouter, not yet started."""
    command = [sys.executable, "-m", "edgerouter"]
    return RouterProcess(command, directory, entrypoints, _FLAGS | dict(flags), dynamic)
