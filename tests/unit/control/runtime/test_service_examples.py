"""The examples of docs/services*: they are in service, and a worker can build them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgerouter.config.decode import decode
from edgerouter.config.labels import decode_labels, decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched

DOCS = Path(__file__).parents[4] / "docs"
EXAMPLES = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in (DOCS / "services.md", *sorted((DOCS / "services").glob("*.md")))
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("text", EXAMPLES)
async def test_example(text: str) -> None:
    content: dict[str, Any] = yaml.safe_load(text)
    if "labels" in content:
        # The Docker provider makes the URL of a server of its port, and links router and service.
        port, url = "loadbalancer.server.port", "loadbalancer.server.url"
        labels = {
            key.replace(port, url): "http://10.0.0.2" if key.endswith(port) else value
            for key, value in content["labels"].items()
        }
        labels["traefik.http.routers.app.service"] = "app"
        configuration, found = decode_labels(labels, source="container app", provider="docker")
        provider = "docker"
    else:
        configuration, found = decode_mapping(content, "example.yml", "file")
        provider = "file"
    assert found == []
    static = decode(StaticConfiguration, {"entryPoints": {"web": {"address": ":80"}}}).value
    view = build_runtime(static, {provider: configuration})
    assert view.diagnostics == ()
    services = [info for info in view.http.services.values() if info.provider == provider]
    assert services
    assert {info.status for info in services} == {"enabled"}
    builder = Builder(
        {"web": EntryPoint("web", {})},
        admin="/nowhere.sock",
        ping_status=503,
        life_cycle=LifeCycle(),
        unmatched=Unmatched(),
    )
    errors = builder.apply(snapshot_of(view, 1))
    assert {name: error for name, error in errors.items() if name.startswith("services/")} == {}
