"""The options of docs/providers/docker.md: all there are, with their defaults; examples work."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edgerouter.config.loader import load_static
from edgerouter_docker.options import ClientTLS, Options

PAGE = Path(__file__).resolve().parents[4] / "docs/providers/docker.md"
SET_BY_OTHERS = {"compat", "hold", "portWait", "tls"}
"""Options that stand under `edgerouter`, and the group."""
ROW = re.compile(r"^\| `([\w.]+)` \|(.*?)\|(.*?)\| ", re.MULTILINE)


def _bare(cell: str) -> str:
    return re.sub(r"^(`+) ?(.*?) ?\1$", r"\2", cell.strip())


ROWS = {
    name: (_bare(default), _bare(example))
    for name, default, example in ROW.findall(
        PAGE.read_text().partition("## Options")[2].partition("## ")[0]
    )
}


def _defaults(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}{field.alias or name}": field.default
        for name, field in model.model_fields.items()
    }


DEFAULTS = _defaults(Options) | _defaults(ClientTLS, "tls.")


def test_every_option_stands_there() -> None:
    assert set(ROWS) == set(DEFAULTS) - SET_BY_OTHERS


@pytest.mark.parametrize("name", ROWS)
def test_default_and_example(name: str) -> None:
    default, example = ROWS[name]
    value = DEFAULTS[name]
    assert default == (str(value).lower() if isinstance(value, bool) else str(value))
    loaded = load_static([f"--providers.docker.{name}={example}"], {})
    assert loaded.warnings == []
    said: Any = loaded.configuration.providers.enabled["docker"]
    for part in name.split("."):
        fields = {field.alias or key: key for key, field in type(said).model_fields.items()}
        said = getattr(said, fields[part])
    assert said != value
    assert str(said).lower().removesuffix(".0") == example.lower().removesuffix("s") or (
        str(said) == example
    )
