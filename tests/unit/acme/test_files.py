"""Files that several writers share."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgerouter.acme.files import write_private


def test_writers_with_the_same_process_number_mix_nothing(tmp_path: Path) -> None:
    """As two containers on one disk have it, each with its router as process 7."""
    path = tmp_path / "file"
    contents = [letter * 300_000 for letter in "abcd"]

    def write(content: str) -> set[str]:
        seen = set()
        for _ in range(50):
            write_private(path, content)
            seen.add(path.read_text())
        return seen

    with ThreadPoolExecutor(len(contents)) as pool:
        for seen in pool.map(write, contents):
            assert seen <= set(contents)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(path, "text")
    assert list(tmp_path.iterdir()) == [path]
