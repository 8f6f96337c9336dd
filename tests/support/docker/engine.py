"""The Docker Engine of the tests: starting and restarting it, images, containers, networks."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.networks import Network

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "scripts"
WHOAMI_IMAGE = "er/whoami:local"
RUN_LABEL = "er.test.run"
SECOND = 1_000_000_000  # Docker counts nanoseconds.
HEALTHCHECK = {
    "test": ["CMD", "/whoami", "-check"],
    "interval": SECOND // 4,
    "timeout": 2 * SECOND,
    "retries": 1,
}


class EngineUnavailable(Exception):
    """No Docker Engine can be had here; the text says why."""


def run_script(name: str, *arguments: str, host: str | None = None, timeout: float = 300) -> str:
    """Run a script of `scripts/` and return what it prints, or raise `EngineUnavailable`."""
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    done = subprocess.run(
        [SCRIPTS / name, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise EngineUnavailable(done.stderr.strip() or f"{name} ended with {done.returncode}")
    return done.stdout


class Engine:
    """The engine that `scripts/dockerd-up.sh` starts or finds."""

    def __init__(self) -> None:
        self.host = ""

    @property
    def root(self) -> Path:
        return Path(os.environ.get("ER_DOCKER_ROOT", "/var/tmp/er-docker"))

    @property
    def private(self) -> bool:
        """Whether it is ours, so that a test may restart it."""
        return self.host == f"unix://{self.root}/docker.sock"

    def start(self) -> None:
        """Start the engine if it does not run; afterwards `host` is its address."""
        (line,) = shlex.split(run_script("dockerd-up.sh").removeprefix("export "))
        self.host = line.removeprefix("DOCKER_HOST=")

    def stop(self, *, kill: bool = False, timeout: float = 30) -> None:
        """End the engine's process and wait for it; containers keep running (live-restore)."""
        if not self.private:
            raise EngineUnavailable("the engine belongs to the user and must not be stopped")
        pid = int((self.root / "dockerd.pid").read_text())
        os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while Path(f"/proc/{pid}/exe").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"dockerd (pid {pid}) did not end within {timeout} s")
            time.sleep(0.02)

    def restart(self, *, kill: bool = False) -> None:
        """Stop it and start it again."""
        self.stop(kill=kill)
        self.start()

    def purge(self) -> None:
        """Stop it together with all its containers; its images stay."""
        run_script("dockerd-down.sh")


class Fleet:
    """Containers and networks of one test; `close` removes them.

    Names and labels carry an identifier of the test run: several runs share one engine.
    """

    def __init__(self, client: docker.DockerClient, run: str) -> None:
        self._client = client
        self._run = run
        self._containers: list[Container] = []
        self._networks: list[Network] = []

    def _name(self, name: str | None) -> str:
        return f"er-{self._run}-{name or uuid.uuid4().hex[:8]}"

    def network(self, name: str | None = None, **options: Any) -> Network:
        """Create a bridge network; further options are those of the SDK's `networks.create`."""
        options = {"driver": "bridge", **options}
        labels = {RUN_LABEL: self._run, **options.pop("labels", {})}
        made = self._client.networks.create(self._name(name), labels=labels, **options)
        self._networks.append(made)
        return made

    def run_container(
        self,
        image: str = WHOAMI_IMAGE,
        *,
        labels: Mapping[str, str] | None = None,
        network: Network | str | None = None,
        networks: Sequence[Network] = (),
        health: bool | Mapping[str, Any] = False,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        start: bool = True,
        **options: Any,
    ) -> Container:
        """Create and start a container; further options are those of the SDK's `containers.create`.

        Args:
            image: the whoami backend unless told otherwise.
            labels: as written on the container; the run's own label is added.
            network: the first network (a `Network` or a mode such as `host`); default: the bridge.
            networks: further networks, connected before the start.
            health: True for whoami's own check every quarter of a second, or the SDK's mapping.
            name: ends the container's name; the run's prefix is put in front.
            environment: environment variables.
            start: False leaves the container created.
        """
        if health:
            options["healthcheck"] = HEALTHCHECK if health is True else dict(health)
        if network is not None:
            options["network"] = network if isinstance(network, str) else network.name
        made = self._client.containers.create(
            image,
            name=self._name(name),
            labels={**(labels or {}), RUN_LABEL: self._run},
            environment=dict(environment or {}),
            **options,
        )
        self._containers.append(made)
        for further in networks:
            further.connect(made)
        if start:
            made.start()
        made.reload()
        return made

    def close(self) -> None:
        """Remove everything; what a test has removed itself is not missed."""
        for container in self._containers:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        for network in self._networks:
            with contextlib.suppress(docker.errors.NotFound):
                network.remove()


def sweep(client: docker.DockerClient, run: str) -> None:
    """Remove every container and network with the label of a test run."""
    chosen: dict[str, str | list[str] | bool] = {"label": f"{RUN_LABEL}={run}"}
    for container in client.containers.list(all=True, filters=chosen):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=chosen):
        network.remove()


def container_ip(container: Container, network: Network | str | None = None) -> str:
    """Return the container's address on a network (default: on the first one that has any)."""
    container.reload()
    networks: dict[str, dict[str, Any]] = container.attrs["NetworkSettings"]["Networks"]
    if network is not None:
        name = network if isinstance(network, str) else network.name or ""
        return str(networks[name]["IPAddress"])
    found = [entry["IPAddress"] for entry in networks.values() if entry["IPAddress"]]
    if not found:
        raise LookupError(f"container {container.name} has no address ({container.status})")
    return str(found[0])
