"""Compile the hot path with mypyc: `python scripts/compile.py DIRECTORY`.

DIRECTORY becomes a copy of the packages, with the modules listed below as extension modules beside
their source. Whoever has it first in PYTHONPATH runs the compiled build. Needs mypy, setuptools, a
C compiler and Python's headers; `scripts/hatch_build.py` makes wheels of the result.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edgerouter", "providers/edgerouter_docker", "providers/edgerouter_file")
MODULES = (
    "http/body",
    "http/date",
    "http/fields",
    "http/lines",
    "http/message",
    "proxy/as_traefik",
    "proxy/entrypoint",
    "proxy/flow",
    "proxy/forward",
    "proxy/forwarded",
    "proxy/framing",
    "proxy/paths",
    "proxy/tunnel",
    "proxy/downstream/as_traefik",
    "proxy/downstream/common_head",
    "proxy/downstream/connections",
    "proxy/downstream/deadline",
    "proxy/downstream/h1",
    "proxy/downstream/head",
    "proxy/downstream/parser",
    "proxy/downstream/target",
    "proxy/downstream/writer",
    "proxy/upstream/h1",
    "proxy/upstream/head",
    "proxy/upstream/pool",
    "routing/compiled",
    "routing/index",
    "routing/route",
    "routing/table",
    "services/balancer",
    "services/server",
)
"""What every request passes; docs/performance.md, "The compiled build", has the rules for it."""
MYPY = ("--config-file=", "--no-site-packages", "--ignore-missing-imports")
"""Other packages count as untyped, so that what is installed makes no difference."""


def copy_packages(directory: Path) -> None:
    """Make ``directory`` anew, a copy of the packages' source."""
    shutil.rmtree(directory, ignore_errors=True)
    for package in PACKAGES:
        unwanted = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / package, directory / Path(package).name, ignore=unwanted)


def compile_in(directory: Path, scratch: str) -> None:
    """Compile the modules in ``directory``; C files and caches go to ``scratch``.

    Raises:
        SystemExit: A module has a type error, or the C compiler fails.
    """
    from mypyc.build import mypycify  # noqa: PLC0415 - tests import the list without mypy.
    from setuptools import Distribution  # noqa: PLC0415

    os.chdir(directory)  # mypyc names modules by their paths from here.
    files = [f"edgerouter/{name}.py" for name in MODULES]
    extensions = mypycify(
        [*MYPY, f"--cache-dir={scratch}/mypy", *files],
        group_name="edgerouter",
        target_dir=f"{scratch}/c",
        debug_level="0",
    )
    builder = Distribution({"name": "edgerouter", "ext_modules": extensions}).get_command_obj(
        "build_ext"
    )
    builder.build_lib = str(directory)
    builder.build_temp = f"{scratch}/o"
    builder.parallel = os.cpu_count()
    builder.ensure_finalized()
    builder.run()


def main() -> None:
    directory = Path(sys.argv[1]).resolve()
    copy_packages(directory)
    with tempfile.TemporaryDirectory() as scratch:
        compile_in(directory, scratch)
    print(f"compiled {len(MODULES)} modules in {directory}")


if __name__ == "__main__":
    main()
