"""The example of docs/acme.md on a real engine: a container's name gets its certificate."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from docker.models.containers import Container

from tests.integration.test_compose_examples import load
from tests.support.docker.routes import short_id
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.https import ask_https
from tests.support.pebble import Pebble

PAGE = Path(__file__).parents[2] / "docs/acme.md"
ACME = "certificatesresolvers.letsencrypt.acme"


def documented() -> dict[str, Any]:
    """Return the services of the example in the documentation."""
    found = re.search(r"```yaml\n(services:.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    services: dict[str, Any] = yaml.safe_load(found[1])["services"]
    return services


def points_aside(command: list[str]) -> dict[str, str]:
    """Return the flags of a command but the addresses, which are the test's own."""
    return {name: value for name, value in pairs(command).items() if ".address" not in name}


def pairs(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("--").split("=", 1) for line in lines)


@pytest.mark.parametrize("services", [documented(), load("https")], ids=["docs", "compose"])
def test_a_name_gets_its_certificate(
    docker_flags: dict[str, str],
    run_container: Callable[..., Container],
    tmp_path: Path,
    services: dict[str, Any],
) -> None:
    flags = points_aside(services["edgerouter"]["command"])
    with Pebble(tmp_path / "pebble") as pebble:
        here = {
            f"{ACME}.storage": str(tmp_path / "acme.json"),
            f"{ACME}.caserver": pebble.url,
            f"{ACME}.cacertificates": str(pebble.ca_file),
            f"{ACME}.keytype": "EC256",
            "edgerouter.internalca.storage": str(tmp_path / "internal-ca"),
            "edgerouter.certificatesexport.directory": str(tmp_path / "export"),
        }
        router = edgerouter(
            tmp_path, ["plain", "web", "websecure"], docker_flags | flags | here, {}
        )
        router.ports["web"], router.ports["websecure"] = pebble.http_port, pebble.tls_port
        with router:
            began = int(time.time())
            mail = run_container(labels=USER_OF_A_COPY)
            mqtt = run_container(labels=RESTARTED_FOR_A_COPY)
            shop = run_container(labels=labels_of(services))
            roots = pebble.root()
            answer = eventually(
                lambda: ask_https(pebble.tls_port, "shop.example.com", roots=roots),
                lambda answer: answer.status == 200,
                within=30,
            )
            assert short_id(shop) in answer.text
            redirected = ask(pebble.http_port, "/cart", host="shop.example.com")
            assert redirected.status == 301
            assert redirected.headers["location"].startswith("https://shop.example.com")
            copy = tmp_path / "export/shop.example.com/certificate.pem"
            eventually(copy.exists, bool)
            assert x509.load_pem_x509_certificate(copy.read_bytes()) == answer.certificate
            eventually(lambda: acts_on(mail, since=began), lambda acts: ("kill", "1") in acts)
            eventually(lambda: acts_on(mqtt, since=began), lambda acts: ("restart", "") in acts)
            # There is no such program in the image; the engine's answer names it.
            log = eventually(router.log.read_text, lambda text: "is not told" in text)
            assert "/reload" in log


USER_OF_A_COPY = {
    "traefik.enable": "false",
    "edgerouter.certificate.names": "shop.example.com",
    "edgerouter.certificate.signal": "HUP",
    "edgerouter.certificate.exec": "/reload now",
}

RESTARTED_FOR_A_COPY = {
    "traefik.enable": "false",
    "edgerouter.certificate.names": "shop.example.com",
    "edgerouter.certificate.restart": "true",
}


def acts_on(container: Container, since: int) -> list[tuple[str, str]]:
    """Return the actions and signals of a container's events until now."""
    assert container.client is not None
    found = container.client.events(
        since=since, until=int(time.time()) + 1, decode=True, filters={"container": container.id}
    )
    return [(each["Action"], each["Actor"]["Attributes"].get("signal", "")) for each in found]


def labels_of(services: dict[str, Any]) -> dict[str, str]:
    """Return the labels of the example's application, for the port of the test's backend."""
    labels = pairs(services["shop"]["labels"])
    return labels | {"traefik.http.services.shop.loadbalancer.server.port": "80"}


def test_https_with_the_internal_ca(
    docker_flags: dict[str, str], run_container: Callable[..., Container], tmp_path: Path
) -> None:
    services = load("internal-ca")
    flags = points_aside(services["edgerouter"]["command"])
    storage = f"edgerouter.internalca.storage={tmp_path / 'ca'}"
    here = dict([storage.split("=")])
    with edgerouter(tmp_path, ["plain", "web", "websecure"], docker_flags | flags | here, {}) as on:
        shop = run_container(labels=labels_of(services))
        command = [sys.executable, "-m", "edgerouter", "ca", "root", f"--{storage}"]
        eventually((tmp_path / "ca/root.pem").exists, bool)
        root = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        answer = eventually(
            lambda: ask_https(on.ports["websecure"], "shop.localhost", roots=root),
            lambda answer: answer.status == 200,
        )
        assert short_id(shop) in answer.text
