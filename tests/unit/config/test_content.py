"""Files that options name."""

import os
from pathlib import Path

import pytest

from edgerouter.config import content
from edgerouter.config.content import read_regular


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xffa\n")
    assert read_regular(str(path)) == b"\xffa\n"


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="it is no regular file"):
            read_regular(str(path))


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        read_regular(name)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST", 3)
    (tmp_path / "file").write_bytes(b"1234")
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_regular(str(tmp_path / "file"))
