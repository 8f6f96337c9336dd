"""A provider plug-in made for a test: a real module, found as an installed one is."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

SOURCE = """
from pydantic import Field
from edgerouter.config.static.section import Section

class Options(Section):
    exposed_by_default: bool = Field(True, description="Whether.")
    network: str = Field("", description="Which.")

class Provider:
    Options = Options
"""


def installed(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str = "docker", source: str = SOURCE
) -> dict[str, EntryPoint]:
    """Write the plug-in and return it as ``importlib.metadata`` would."""
    module = f"plugin_{name}_{abs(hash((str(folder), source)))}"
    (folder / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    return {name: EntryPoint(name, f"{module}:Provider", "edgerouter.providers")}
