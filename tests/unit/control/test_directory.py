import os
import socket
import stat
import tempfile
import time
from pathlib import Path

import pytest

from edgerouter.control import directory as module
from edgerouter.control.directory import (
    FRESH,
    StartError,
    admin_socket,
    remove_stale,
    runtime_directory,
)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "PLACES", (None,))


def age(path: Path) -> None:
    old = time.time() - FRESH - 1
    os.utime(path, (old, old))


def left_behind(parent: Path, name: str = "edgerouter-dead") -> Path:
    directory = parent / name
    directory.mkdir(mode=0o700)
    for file in ("admin.sock", "other.sock"):
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(directory / file))
    age(directory)
    return directory


def test_it_is_private_and_removed_at_the_end() -> None:
    with runtime_directory("") as directory:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        with admin_socket(directory / "admin.sock"):
            pass
    assert not directory.exists()


def test_a_read_only_root_still_has_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    monkeypatch.setattr(module, "PLACES", (None, "/dev/shm"))
    with runtime_directory("") as directory:
        assert directory.parent == Path("/dev/shm")


def test_without_any_place_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(StartError, match=r"--edgerouter\.runtimeDir"), runtime_directory(""):
        pass


def test_a_chosen_directory_is_made_and_stays(tmp_path: Path) -> None:
    with runtime_directory(str(tmp_path / "a" / "b")) as directory:
        assert directory == tmp_path / "a" / "b"
    assert directory.is_dir()


def test_a_directory_that_cannot_be_made_names_the_option() -> None:
    message = r"edgerouter\.runtimeDir: cannot make /proc/x"
    with pytest.raises(StartError, match=message), runtime_directory("/proc/x"):
        pass


def test_what_a_killed_one_has_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    stale = left_behind(tmp_path)
    with runtime_directory(""):
        assert not stale.exists()


def test_what_a_living_one_uses_stays() -> None:
    with runtime_directory("") as directory:
        age(directory)
        remove_stale()
        assert directory.is_dir()


def test_what_has_just_been_made_stays(tmp_path: Path) -> None:
    directory = left_behind(tmp_path)
    os.utime(directory)
    remove_stale()
    assert directory.is_dir()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    other = left_behind(tmp_path, "edgerouter-other")
    (other / "keep").write_text("")
    age(other)
    target = left_behind(tmp_path, "target")
    link = tmp_path / "edgerouter-link"
    link.symlink_to(target)
    (tmp_path / "edgerouter-file").write_text("")
    age(tmp_path / "edgerouter-file")
    remove_stale()
    assert (other / "keep").exists()
    assert (target / "admin.sock").exists()
    assert link.is_symlink()
    assert (tmp_path / "edgerouter-file").exists()


def test_the_socket_of_the_api_is_private_and_replaces_a_stale_one(tmp_path: Path) -> None:
    path = left_behind(tmp_path) / "admin.sock"
    with admin_socket(path), socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client.connect(str(path))
    assert not path.exists()


def test_a_path_too_long_for_a_socket_is_explained(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(StartError, match="cannot open the socket of the API"), admin_socket(path):
        pass
