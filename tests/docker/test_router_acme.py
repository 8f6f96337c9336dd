"""The example of docs/acme.md on a real engine: a container's name gets its certificate."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from docker.models.containers import Container

from tests.support.docker.routes import short_id
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import ask, eventually
from tests.support.https import ask_https
from tests.support.pebble import Pebble

PAGE = Path(__file__).parents[2] / "docs/acme.md"
ACME = "certificatesresolvers.letsencrypt.acme"


def example() -> dict[str, Any]:
    found = re.search(r"```yaml\n(services:.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    services: dict[str, Any] = yaml.safe_load(found[1])["services"]
    return services


def pairs(lines: list[str]) -> dict[str, str]:
    return dict(line.removeprefix("--").split("=", 1) for line in lines)


def test_the_example_of_the_documentation(
    docker_flags: dict[str, str], run_container: Callable[..., Container], tmp_path: Path
) -> None:
    services = example()
    flags = {
        name: value
        for name, value in pairs(services["edgerouter"]["command"]).items()
        if not name.endswith(".address")
    }
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
            shop = run_container(labels=pairs(services["shop"]["labels"]))
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
            copied = (tmp_path / "export/shop.example.com/certificate.pem").read_bytes()
            assert x509.load_pem_x509_certificate(copied) == answer.certificate
            assert ("kill", "1") in acts_on(mail, since=began)
            # There is no such program in the image; the engine's answer names it.
            log = eventually(router.log.read_text, lambda text: "is not told" in text)
            assert "/reload" in log


USER_OF_A_COPY = {
    "traefik.enable": "false",
    "edgerouter.certificate.names": "shop.example.com",
    "edgerouter.certificate.signal": "HUP",
    "edgerouter.certificate.exec": "/reload now",
}


def acts_on(container: Container, since: int) -> list[tuple[str, str]]:
    """Return the actions and signals of a container's events until now."""
    assert container.client is not None
    found = container.client.events(
        since=since, until=int(time.time()) + 1, decode=True, filters={"container": container.id}
    )
    return [(each["Action"], each["Actor"]["Attributes"].get("signal", "")) for each in found]
