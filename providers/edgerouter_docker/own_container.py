"""Which container the router itself runs in, if it runs in one."""

import re
import socket
from collections.abc import Iterable
from pathlib import Path

from edgerouter_docker.inventory import Container

_ID = re.compile(r"[0-9a-f]{64}")
_OWN_FILES = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
"""Files that engines mount into a container from a directory named by its id."""


def own_container_ids() -> list[str]:
    """Return what may be the id of the own container, most certain first; none outside."""
    candidates = [*ids_in_mounts(_read("/proc/self/mountinfo")), *ids_in_cgroup(_cgroup())]
    name = socket.gethostname()
    if re.fullmatch(r"[0-9a-f]{12}", name):
        candidates.append(name)
    return list(dict.fromkeys(candidates))


def find_own(candidates: Iterable[str], containers: Iterable[Container]) -> Container | None:
    """Return the container that one of the candidates (ids or their beginnings) names."""
    known = list(containers)
    for candidate in candidates:
        for container in known:
            if container.id.startswith(candidate):
                return container
    return None


def ids_in_mounts(mountinfo: str) -> list[str]:
    """Return container ids from ``/proc/self/mountinfo``.

    On a host, the mounts of other containers are listed as well, but not at these places.
    """
    ids = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] in _OWN_FILES:
            ids.extend(_ID.findall(fields[3]))
    return ids


def ids_in_cgroup(cgroup: str) -> list[str]:
    """Return container ids from ``/proc/self/cgroup``; empty with cgroup namespaces."""
    return [found for line in cgroup.splitlines() for found in _ID.findall(line)]


def _cgroup() -> str:
    return _read("/proc/self/cgroup")


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
