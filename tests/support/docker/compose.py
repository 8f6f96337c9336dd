"""Docker Compose projects: replicas of the whoami backend behind one route."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.docker.engine import ROOT, RUN_LABEL, WHOAMI_IMAGE

BINARY = ROOT / ".tools/usr/libexec/docker/cli-plugins/docker-compose"
"""Where ``scripts/test-deps.sh`` unpacks it."""


class Compose:
    """One project with one service; ``down`` removes it.

    Args:
        directory: For the project's file.
        host: The engine.
        project: The project's name.
        run: The identifier of the run, a label of each container.
    """

    def __init__(self, directory: Path, host: str, project: str, run: str) -> None:
        self._file = directory / f"{project}.json"
        self._environment = {**os.environ, "DOCKER_HOST": host}
        self._project = project
        self._run = run

    def write(
        self,
        name: str,
        labels: Mapping[str, str],
        *,
        replicas: int = 1,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Describe the service ``name``; further options are those of the file format."""
        service = {
            "image": WHOAMI_IMAGE,
            "labels": {**labels, RUN_LABEL: self._run},
            "environment": dict(environment or {}),
            "scale": replicas,
            "network_mode": "bridge",
            **options,
        }
        # JSON is YAML.
        self._file.write_text(json.dumps({"services": {name: service}}))

    def up(self, *arguments: str) -> None:
        """Run ``up --detach`` with further arguments."""
        self.run("up", "--detach", *arguments)

    def down(self) -> None:
        """Remove all containers."""
        self.run("down", "--timeout", "0")

    def run(self, *arguments: str) -> str:
        """Run one command; return what it prints."""
        command = [BINARY, "--file", self._file, "--project-name", self._project, *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"docker compose {arguments[0]}: {done.stderr.strip()}")
        return done.stdout
