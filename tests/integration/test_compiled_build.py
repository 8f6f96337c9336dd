"""The compiled build does what the plain one does: it is made, and tests run against it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
SELECTION = (
    "tests/unit/http",
    "tests/unit/proxy",
    "tests/unit/routing",
    "tests/unit/services",
    "tests/integration/test_exchange_cancel.py",
    "tests/integration/test_exchange_failures.py",
    "tests/integration/test_exchange_http1.py",
    "tests/integration/test_exchange_limits.py",
    "tests/integration/test_exchange_tunnel.py",
    "tests/integration/test_hostile_requests.py",
    "tests/integration/test_hostile_streams.py",
)
LOAD_ALL = """
import importlib, pkgutil, sys
import edgerouter
for found in pkgutil.walk_packages(edgerouter.__path__, "edgerouter."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
for name in sys.argv[1:]:
    module = importlib.import_module("edgerouter." + name.replace("/", "."))
    print(module.__file__)
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def missing(what: str) -> NoReturn:
    """Skip, or fail under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI cannot compile: {what} is missing")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A compiled build with the tests beside it."""
    if shutil.which("gcc") is None:
        missing("gcc")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing("Python.h")
    if find_spec("mypyc") is None or find_spec("setuptools") is None:
        missing("mypy or setuptools (make venv)")
    directory = tmp_path_factory.mktemp("compiled") / "build"
    run(sys.executable, str(ROOT / "scripts" / "compile.py"), str(directory), cwd=ROOT)
    shutil.copytree(
        ROOT / "tests", directory / "tests", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", directory)
    yield directory
    shutil.rmtree(directory)


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    return done.stdout


def test_all_modules_load_and_those_of_the_list_are_compiled(compiled: Path) -> None:
    """No plain class may inherit from a compiled one: such a module does not load."""
    listed = run(
        sys.executable,
        "-c",
        "import sys; sys.path[:0] = ['scripts']; import compile; print(*compile.MODULES)",
        cwd=ROOT,
    ).split()
    assert len(listed) > 20
    files = run(sys.executable, "-c", LOAD_ALL, *listed, cwd=compiled).split()
    assert len(files) == len(listed)
    assert not [file for file in files if not file.endswith(".so")]
    version = run(
        sys.executable, "-m", "edgerouter", "version", "--format={{.Build}}", cwd=compiled
    )
    assert version == "compiled\n"


def test_the_tests_of_the_data_plane_pass(compiled: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SELECTION]
    output = run(*command, cwd=compiled)
    assert " passed" in output
    assert " skipped" not in output
