"""Build hook of the package: wheels are compiled when ``COMPILE_EDGEROUTER=1`` asks for it.

Anything else, and every editable installation, stays plain Python, which needs no C compiler.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Adds the extension modules that `scripts/compile.py` makes."""

    _directory: "tempfile.TemporaryDirectory[str] | None" = None

    def dependencies(self) -> list[str]:
        """Return what a build needs beside hatchling."""
        return ["mypy>=2.4,<3", "setuptools>=70"] if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not _is_wanted():
            return
        self._directory = tempfile.TemporaryDirectory(prefix="edgerouter-")
        compiled = Path(self._directory.name) / "compiled"
        script = Path(self.root) / "scripts" / "compile.py"
        subprocess.run([sys.executable, str(script), str(compiled)], check=True)
        for file in compiled.rglob("*.so"):
            build_data["force_include"][str(file)] = str(file.relative_to(compiled))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del version, build_data, artifact_path
        if self._directory is not None:
            self._directory.cleanup()


def _is_wanted() -> bool:
    return os.environ.get("COMPILE_EDGEROUTER") == "1"
