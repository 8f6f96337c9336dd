"""Modules stay small enough to be read in one go."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 450
SOURCES = [
    path for folder in ("edgerouter", "providers") for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LIMIT, f"{path.name} has more than {LIMIT} lines: split it"
    if text.strip():
        assert text.startswith(('"""', 'r"""')), f"{path.name} has no docstring"
