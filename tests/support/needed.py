"""Programs that tests need: absent ones fail the run in CI, elsewhere they skip the test."""

import os
import shutil
from typing import NoReturn

import pytest


def needed(*names: str) -> str:
    """Return the path of a program, by the first of its ``names`` that is installed."""
    for name in names:
        if path := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return path
    return missing(f"{names[0]} is not installed; scripts/test-deps.sh installs it")


def missing(reason: str) -> NoReturn:
    """Skip the test for ``reason``, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
