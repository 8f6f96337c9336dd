"""Which build of edgerouter is measured: the compiled one, unless COMPILE_EDGEROUTER is 0."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ROOT / "build" / "compiled"


@cache
def python_path() -> str:
    """Return the PYTHONPATH of the build; a compiled one is made first, from the present source."""
    if os.environ.get("COMPILE_EDGEROUTER") == "0":
        return f"{ROOT}{os.pathsep}{ROOT / 'providers'}"
    print("Compiling", file=sys.stderr, flush=True)
    command = [sys.executable, str(ROOT / "scripts" / "compile.py"), str(COMPILED)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(COMPILED)


@cache
def build() -> str:
    """Return what `edgerouter version` says of the build."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "edgerouter", "version", "--format={{.Build}}"],
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
