"""Where the storage lies: what is only in a container goes with it, and so do its certificates."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edgerouter.acme.storage import storage_directory

_MEMORY = frozenset({"ramfs", "tmpfs"})
_LAYERS = frozenset({"aufs", "fuse.fuse-overlayfs", "overlay"})
_MARKS = ("/.dockerenv", "/run/.containerenv")
"""Files that Docker and Podman put into every container."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Place(Enum):
    """What becomes of a storage when its container is made anew."""

    KEPT = "kept"
    """It lies on a volume, or there is no container."""
    FILE = "file"
    """Only the file that the option names is mounted, as Traefik needs no more."""
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of this process."""

    point: Path
    kind: str
    """The type of its file system."""


def read_mounts(file: Path = Path("/proc/self/mountinfo")) -> list[Mount]:
    """Return the mounts of this process; none where the system does not tell."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return []
    return [_parsed(line) for line in lines]


def _parsed(line: str) -> Mount:
    # See proc(5): a separator follows the optional fields.
    fixed, _, rest = line.partition(" - ")
    point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fixed.split()[4])
    return Mount(Path(point), rest.split()[0])


def is_in_container(mounts: Iterable[Mount], marks: Sequence[str] = _MARKS) -> bool:
    """Whether the root of this process is a container's."""
    roots = [mount.kind for mount in mounts if mount.point == Path("/")]
    return any(kind in _LAYERS for kind in roots) or any(map(os.path.exists, marks))


def container_mounts() -> list[Mount] | None:
    """Return the mounts of this process; None when it is in no container."""
    mounts = read_mounts()
    return mounts if is_in_container(mounts) else None


def place_of(storage: str, mounts: Sequence[Mount] | None) -> Place:
    """Return where the storage lies that the option names, with the mounts of a container."""
    if mounts is None:
        return Place.KEPT
    file = Path(storage).resolve()
    if _is_volume(storage_directory(str(file)), mounts):
        return Place.KEPT
    if file.is_file() and any(mount.point == file for mount in mounts):
        return Place.FILE
    return Place.LOST


def _is_volume(directory: Path, mounts: Sequence[Mount]) -> bool:
    around = [mount for mount in mounts if directory.is_relative_to(mount.point)]
    # The last one of several at the same place is the one that is seen.
    closest = max(around, key=lambda mount: len(mount.point.parts), default=None)
    if closest is None:
        return False
    seen = [mount for mount in around if mount.point == closest.point][-1]
    return seen.point != Path("/") and seen.kind not in _MEMORY
