"""What outlives a container, by the mounts that Docker makes."""

from pathlib import Path

import pytest

from edgerouter.acme.place import Mount, Place, is_in_container, place_of, read_mounts

ROOT = "536 413 0:58 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w"
COMMON = """\
537 536 0:61 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
538 536 0:62 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
545 536 8:1 /var/lib/docker/containers/0a/hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw
"""


def mounts(tmp_path: Path, *lines: str) -> list[Mount]:
    file = tmp_path / "mountinfo"
    file.write_text("\n".join((ROOT, COMMON.strip(), *lines)) + "\n")
    return read_mounts(file)


def mount(point: Path, kind: str = "ext4") -> str:
    escaped = str(point).replace(" ", "\\040")
    return f"600 536 8:1 /srv/x {escaped} rw,relatime master:1 - {kind} /dev/sda1 rw"


def test_a_volume_around_the_file(tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    storage = str(directory / "acme.json")
    assert place_of(storage, mounts(tmp_path, mount(directory))) is Place.KEPT
    assert place_of(str(directory / "deep/store"), mounts(tmp_path, mount(directory))) is Place.KEPT
    assert place_of(storage, mounts(tmp_path)) is Place.LOST
    assert place_of(storage, None) is Place.KEPT, "in no container"
    assert place_of(storage, mounts(tmp_path, mount(tmp_path / "with"))) is Place.LOST


def test_only_the_file(tmp_path: Path) -> None:
    file = tmp_path / "acme.json"
    assert place_of(str(file), mounts(tmp_path, mount(file))) is Place.LOST, "there is none"
    file.touch()
    assert place_of(str(file), mounts(tmp_path, mount(file))) is Place.FILE
    assert place_of(str(file), mounts(tmp_path)) is Place.LOST
    both = mounts(tmp_path, mount(tmp_path), mount(file))
    assert place_of(str(file), both) is Place.KEPT
    link = tmp_path / "link.json"
    link.symlink_to(file)
    assert place_of(str(link), mounts(tmp_path, mount(file))) is Place.FILE


def test_a_directory_that_docker_has_made_in_place_of_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "acme.json").mkdir()
    found = mounts(tmp_path, mount(tmp_path / "acme.json"))
    assert place_of(str(tmp_path / "acme.json"), found) is Place.KEPT


def test_memory_is_lost_too(tmp_path: Path) -> None:
    storage = str(tmp_path / "x/acme.json")
    assert place_of(storage, mounts(tmp_path, mount(tmp_path / "x", "tmpfs"))) is Place.LOST
    over = mounts(tmp_path, mount(tmp_path / "x", "tmpfs"), mount(tmp_path / "x"))
    assert place_of(storage, over) is Place.KEPT, "what was mounted last is seen"


@pytest.mark.parametrize(
    ("kind", "marks", "expected"),
    [("overlay", (), True), ("btrfs", (), False), ("btrfs", ("/etc/passwd",), True)],
)
def test_containers(kind: str, marks: tuple[str, ...], expected: bool) -> None:
    assert is_in_container([Mount(Path("/"), kind)], marks) is expected


def test_a_system_without_the_file(tmp_path: Path) -> None:
    assert read_mounts(tmp_path / "none") == []
