"""Every piece that lives in a file of its own stands in its table and in the documentation."""

import re
from pathlib import Path

import pytest

from edgerouter.cli import COMMANDS
from edgerouter.middleware import TABLE
from edgerouter.routing.matchers import MATCHERS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "edgerouter"
MIDDLEWARE = PACKAGE / "middleware"
MATCHER = PACKAGE / "routing" / "matchers"
COMMAND = PACKAGE / "cli" / "commands"


def modules(directory: Path) -> dict[str, str]:
    """Modules and their source; those with an underscore in front are private helpers."""
    files = sorted(directory.glob("*.py"))
    return {file.stem: file.read_text() for file in files if not file.stem.startswith("_")}


def documentation() -> str:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text() for page in pages)


def is_mentioned(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def test_every_middleware_is_in_the_table() -> None:
    defined = {name for name, text in modules(MIDDLEWARE).items() if "\ndef build(" in text}
    assert {*defined, "chain"} == set(TABLE.values())  # Chains are expanded, never built.


def test_every_matcher_is_in_the_table() -> None:
    defined = {name for name, text in modules(MATCHER).items() if "\nMATCHER: Matcher = " in text}
    assert {matcher.lower() for matcher in MATCHERS} == {name.replace("_", "") for name in defined}


def test_every_command_is_in_the_table() -> None:
    defined = {name for name, text in modules(COMMAND).items() if "\nNAME = " in text}
    assert {target.rpartition(".")[2] for target in COMMANDS.values()} == defined


@pytest.mark.parametrize("name", [*TABLE, *MATCHERS, *(f"edgerouter {name}" for name in COMMANDS)])
def test_docs_mention(name: str) -> None:
    assert is_mentioned(name, documentation()), f"no page in docs/ speaks of {name}"
