"""Engines of other versions: Debian packages unpacked beside the system, in a network of their own.

Two engines in one network namespace would break each other's firewall rules. A
test enters the engine's with ``VersionedEngine.entered``: what it starts then and the
connections it makes are in there.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.docker.engine import ROOT, SCRIPTS, EngineUnavailable

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PACKAGES = ("docker.io", "docker-cli", "containerd")


@dataclass(frozen=True, slots=True)
class Version:
    """An engine and the Debian suite that has it."""

    major: int
    suite: str

    @property
    def prefix(self) -> Path:
        return ROOT / ".tools" / f"engine{self.major}"

    @property
    def root(self) -> Path:
        return Path(f"/var/tmp/er-docker{self.major}")

    @property
    def host(self) -> str:
        return f"unix://{self.root}/docker.sock"


class VersionedEngine:
    """A running engine of some version."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self._environment = {
            **os.environ,
            "PATH": f"{version.prefix}/usr/sbin:{version.prefix}/usr/bin:{os.environ['PATH']}",
            "ER_DOCKER_ROOT": str(version.root),
            "ER_DOCKER_BRIDGE": f"er-docker{version.major}",
            "ER_DOCKER_SHARED": "0",
        }

    def start(self) -> None:
        """Unpack it if it is not there, and start it.

        Raises:
            EngineUnavailable: The packages cannot be had, or it does not start.
        """
        if os.geteuid() != 0:
            raise EngineUnavailable("starting an engine needs root")
        dockerd = self.version.prefix / "usr/sbin/dockerd"
        if not dockerd.exists():
            packages = [str(self.version.prefix), *_PACKAGES]
            _run([str(SCRIPTS / "suite-debs.sh"), self.version.suite, *packages])
        inside = f"ip link set lo up && exec {SCRIPTS / 'dockerd-up.sh'}"
        _run(["unshare", "--net", "bash", "-c", inside], self._environment)

    def stop(self) -> None:
        """Stop it with its containers and remove its images."""
        _run([str(SCRIPTS / "dockerd-down.sh"), "--purge"], self._environment)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread be in the engine's network namespace."""
        pid = int((self.version.root / "dockerd.pid").read_text())
        with Path("/proc/thread-self/ns/net").open() as ours:
            with Path(f"/proc/{pid}/ns/net").open() as theirs:
                _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=180, check=False
    )
    if done.returncode:
        raise EngineUnavailable(done.stderr.strip()[-800:] or f"{command[0]} failed")
