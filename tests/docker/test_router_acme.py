"""The example of docs/acme.md on a real engine: a container's name gets its certificate."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
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
        }
        router = edgerouter(
            tmp_path, ["plain", "web", "websecure"], docker_flags | flags | here, {}
        )
        router.ports["web"], router.ports["websecure"] = pebble.http_port, pebble.tls_port
        with router:
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
