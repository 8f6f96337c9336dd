"""The image, built from the Dockerfile, and the compose quick start as a user runs it."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from edgerouter.worker.gateways import ENOUGH
from tests.conftest import unavailable
from tests.support.docker.engine import ROOT, Fleet, container_ip
from tests.support.eventually import Answer, ask, eventually
from tests.support.https import ask_https
from tests.support.pebble import Pebble
from tests.support.router_process import free_ports

pytestmark = pytest.mark.timeout(600)  # The first test builds the image, and so compiles.

QUICKSTART = ROOT / "examples" / "compose" / "quickstart"
COMPOSE = ROOT / ".tools/usr/libexec/docker/cli-plugins/docker-compose"
HOST = "api.example.com"


class Quickstart:
    """The example under a project name of its own."""

    def __init__(self, docker_host: str, api_image: str, project: str) -> None:
        self.web, self.api = free_ports(2)
        self._project = project
        self._environment = {
            **os.environ,
            "DOCKER_HOST": docker_host,
            "DOCKER_SOCK": docker_host.removeprefix("unix://"),
            "API_IMAGE": api_image,
            "WEB_PORT": f"127.0.0.1:{self.web}",
            "API_PORT": f"127.0.0.1:{self.api}",
        }

    def compose(self, *arguments: str) -> str:
        command = [str(COMPOSE), "--project-name", self._project, *arguments]
        done = subprocess.run(
            command,
            cwd=QUICKSTART,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str = "/api/hello") -> Answer:
        return ask(self.web, path, host=HOST)


@pytest.fixture
def quickstart(
    docker_host: str, product_image: str, whoami_image: str, run_id: str
) -> Iterator[Quickstart]:
    if not COMPOSE.exists():
        unavailable("docker compose v2 is not there; scripts/test-deps.sh unpacks it")
    example = Quickstart(docker_host, whoami_image, f"er{run_id}")
    try:
        example.compose("up", "--detach", "--pull", "never")
        yield example
    finally:
        example.compose("down", "--volumes", "--timeout", "1")


def test_quickstart_follows_its_containers(quickstart: Quickstart) -> None:
    answer = eventually(quickstart.ask, lambda answer: answer.status == 200)
    assert "GET /api/hello HTTP/1.1" in answer.text
    assert "X-Forwarded-Host: api.example.com" in answer.text
    assert quickstart.ask("/other").status == 404
    assert ask(quickstart.web, "/api/hello", host="elsewhere.example.com").status == 404

    assert '"api@docker"' in ask(quickstart.api, "/api/http/routers").text

    quickstart.compose("up", "--detach", "--pull", "never", "--scale", "api=2")
    backends: set[str] = set()

    def another_backend() -> set[str]:
        answer = quickstart.ask()
        assert answer.status == 200
        backends.add(answer.headers["x-backend"])
        return backends

    eventually(another_backend, lambda names: len(names) == 2)

    quickstart.compose("stop", "api")
    eventually(quickstart.ask, lambda answer: answer.status == 404)
    quickstart.compose("start", "api")
    eventually(quickstart.ask, lambda answer: answer.status == 200)


def test_image_works_as_another_user_without_rights(
    fleet: Fleet, product_image: str, docker_host: str
) -> None:
    """As examples/compose/README.md says: no root, no capability, a read-only root."""
    path = Path(docker_host.removeprefix("unix://"))
    router = fleet.run_container(
        product_image,
        name="unprivileged",
        command=[
            "--providers.docker=true",
            "--providers.docker.exposedbydefault=false",
            "--entrypoints.web.address=:80",
        ],
        volumes={str(path): {"bind": "/var/run/docker.sock", "mode": "ro"}},
        user="65532:65532",
        group_add=[str(path.stat().st_gid)],
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        health={
            "test": [],  # The image's own.
            "interval": 500_000_000,
            "timeout": 5_000_000_000,
            "start_period": 10_000_000_000,
            "retries": 1,
        },
    )
    host = f"{router.name}.example.com"
    fleet.run_container(
        labels={
            "traefik.enable": "true",
            f"traefik.http.routers.{router.name}.rule": f"Host(`{host}`)",
        }
    )
    address = container_ip(router)
    eventually(lambda: ask(80, host=host, address=address), lambda answer: answer.status == 200)
    eventually(lambda: health(router), lambda status: status == "healthy")


def test_it_says_when_docker_hides_clients(fleet: Fleet, product_image: str) -> None:
    """Connections from this machine to a published port come from the gateway."""
    (port,) = free_ports(1)
    router = fleet.run_container(
        product_image,
        name="hidden",
        command=["--entrypoints.web.address=:80", "--edgerouter.workers=1"],
        ports={"80/tcp": ("127.0.0.1", port)},
    )
    eventually(lambda: ask(port), lambda answer: answer.status == 404)
    for _ in range(ENOUGH):
        assert ask(port).status == 404
    gateway = next(iter(router.attrs["NetworkSettings"]["Networks"].values()))["Gateway"]
    said = "All clients have the address of this container's gateway"
    logged = eventually(lambda: router.logs().decode(), lambda logged: said in logged)
    assert logged.count(said) == 1
    assert gateway in logged


def test_image_ends_at_once_when_it_is_stopped(
    run_container: Callable[..., Container], product_image: str
) -> None:
    """Process 1 obeys SIGTERM: `docker stop` does not have to wait and kill."""
    router = run_container(product_image, command=["--ping=true"])
    address = container_ip(router)
    eventually(lambda: ask(8080, "/ping", address=address), lambda answer: answer.status == 200)
    router.stop(timeout=30)
    router.reload()
    assert router.attrs["State"]["ExitCode"] == 0


@pytest.mark.parametrize("user", ["", "65532:65532"])
def test_certificates_outlive_a_container_that_mounts_only_acme_json(
    fleet: Fleet, product_image: str, tmp_path: Path, user: str
) -> None:
    """Traefik's usual compose line is `./acme.json:/acme.json`."""
    file, configuration = tmp_path / "acme.json", tmp_path / "dynamic.yml"
    file.touch(0o600)
    rights: dict[str, Any] = {}
    if user:
        os.chown(file, *map(int, user.split(":")))
        rights = {"user": user, "read_only": True, "tmpfs": {"/tmp": ""}, "cap_drop": ["ALL"]}
    router = {
        "rule": "Host(`a.example.com`)",
        "service": "noop@internal",
        "entryPoints": ["secure"],
        "tls": {"certResolver": "le"},
    }
    configuration.write_text(json.dumps({"http": {"routers": {"a": router}}}))
    with Pebble(tmp_path / "pebble") as pebble:
        (api,) = free_ports(1)
        options = {
            "entrypoints.secure.address": f"127.0.0.1:{pebble.tls_port}",
            "entrypoints.traefik.address": f"127.0.0.1:{api}",
            "api.insecure": "true",
            "providers.file.filename": "/dynamic.yml",
            "certificatesresolvers.le.acme.caserver": pebble.url,
            "certificatesresolvers.le.acme.cacertificates": "/ca.pem",
            "certificatesresolvers.le.acme.keytype": "EC256",
            "certificatesresolvers.le.acme.tlschallenge": "true",
        }
        mounts = {file: "/acme.json", configuration: "/dynamic.yml", pebble.ca_file: "/ca.pem"}
        serials = []
        for _ in range(2):
            container = fleet.run_container(
                product_image,
                command=[f"--{name}={value}" for name, value in options.items()],
                network="host",
                **rights,
                volumes={str(path): {"bind": inside} for path, inside in mounts.items()},
            )
            answer = eventually(
                lambda: ask_https(pebble.tls_port, "a.example.com", roots=pebble.root()),
                lambda answer: answer.status == 418,
                within=60,
            )
            serials.append(answer.serial)
            assert "acme.storage" not in ask(api, "/api/edgerouter/diagnostics").text
            container.stop(timeout=30)
            container.remove()
        log = (tmp_path / "pebble/pebble.log").read_text()
    assert serials[0] == serials[1]
    assert log.count("Added order") == 1


def test_the_image_has_what_dns_providers_need_and_tells_of_a_storage_that_is_lost(
    run_container: Callable[..., Container], product_image: str
) -> None:
    environment = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x"),
        **dict.fromkeys(("SOFTLAYER_USERNAME", "SOFTLAYER_API_KEY", "CF_DNS_API_TOKEN"), "x"),
    }
    router = run_container(
        product_image,
        command=[
            "--api.insecure=true",
            *(
                f"--certificatesresolvers.{provider}.acme.dnschallenge.provider={provider}"
                for provider in ("route53", "ibmcloud", "cloudflare", "godaddy")
            ),
        ],
        environment=environment,
    )
    address = container_ip(router)
    plans = eventually(
        lambda: ask(8080, "/api/edgerouter/certificates", address=address),
        lambda answer: answer.status == 200,
    )
    (broken,) = json.loads(plans.text)
    assert broken["resolver"] == "godaddy"
    assert "needs the environment variables GODADDY_API_KEY" in broken["reason"]
    found = json.loads(ask(8080, "/api/edgerouter/diagnostics", address=address).text)
    (problem,) = [each for each in found if each["key"].endswith("acme.storage")]
    assert "acme.json lies in the container only" in problem["message"]
    assert (
        "letsencrypt:/letsencrypt and set storage to /letsencrypt/acme.json" in problem["message"]
    )


def health(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])
