"""The page of all options is as the code says."""

from pathlib import Path

from edgerouter.cli.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "static-options.md"
REMEDY = "make it again: python -m edgerouter.cli.reference docs/reference/static-options.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), REMEDY


def test_the_page_tells_what_is_missing() -> None:
    rows = reference().splitlines()
    (row,) = [row for row in rows if row.startswith("| `metrics.addInternals` |")]
    assert row.endswith("*Not supported yet.* |")
