from edgerouter_docker.inventory import Container
from edgerouter_docker.own_container import find_own, ids_in_cgroup, ids_in_mounts

OWN = "0123456789abcdef" * 4
OTHER = "f" * 64

MOUNTS = f"""\
21 20 0:19 / / rw - overlay overlay rw,upperdir=/var/lib/docker/overlay2/{OTHER}/diff
700 21 8:1 /var/lib/docker/containers/{OWN}/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
701 21 8:1 /var/lib/docker/containers/{OWN}/hostname /etc/hostname rw - ext4 /dev/sda1 rw
"""
HOST_MOUNTS = f"""\
700 21 0:30 / /var/lib/docker/containers/{OTHER}/mounts/shm rw - tmpfs shm rw
"""


def test_docker_mounts() -> None:
    assert set(ids_in_mounts(MOUNTS)) == {OWN}


def test_podman_mounts() -> None:
    line = f"9 1 0:5 /containers/overlay-containers/{OWN}/userdata/hosts /etc/hosts rw - tmpfs x rw"
    assert ids_in_mounts(line) == [OWN]


def test_a_host_is_no_container() -> None:
    assert ids_in_mounts(HOST_MOUNTS) == []
    assert ids_in_mounts("garbage\n\n") == []


def test_cgroups() -> None:
    assert ids_in_cgroup(f"12:pids:/docker/{OWN}\n0::/\n") == [OWN]
    assert ids_in_cgroup(f"0::/system.slice/docker-{OWN}.scope\n") == [OWN]
    assert ids_in_cgroup("0::/\n") == []


def test_short_ids_find_their_container_and_foreign_ones_none() -> None:
    own = Container(OWN, "edge")
    containers = [Container(OTHER, "api"), own]
    assert find_own([OWN[:12]], containers) is own
    assert find_own(["a" * 64, OWN], containers) is own
    assert find_own(["a" * 64], containers) is None
    assert find_own([], containers) is None
