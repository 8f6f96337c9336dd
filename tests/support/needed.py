"""Programs that tests need: absent ones fail the run in CI, elsewhere they skip the test."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]


def needed(*names: str) -> str:
    """Return the path of a program, by the first of its ``names`` that is installed."""
    for name in names:
        if path := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return path
    return missing(f"{names[0]} is not installed; scripts/test-deps.sh installs it")


def unpacked(suite: str, package: str, program: str) -> str:
    """Return a ``program`` newer than the system's; one that is absent is unpacked."""
    directory = f".tools/{suite}"
    binary = ROOT / directory / "usr/bin" / program
    if not binary.exists():
        script = [str(ROOT / "scripts/suite-debs.sh"), suite, directory, package]
        done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode or not binary.exists():
            missing(f"a newer {program}: {done.stderr.strip()[-300:]}")
    return str(binary)


def missing(reason: str) -> NoReturn:
    """Skip the test for ``reason``, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
