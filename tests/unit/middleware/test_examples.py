"""The label examples of the pages in docs/middlewares: containers with them become live routes.

An example is a fenced block of YAML with ``labels:``; ``$$`` is Compose's way to write ``$``.
It names at least one router, and a middleware of the page's kind.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.middleware import TABLE, builder_of
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched
from edgerouter_docker.assemble import Assembler
from edgerouter_docker.inventory import Attachment, Container
from edgerouter_docker.options import Options
from edgerouter_docker.translate import settings_of

PAGES = sorted((Path(__file__).parents[3] / "docs" / "middlewares").glob("*.md"))
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[dict[str, str]]:
    """Return the labels of every example on a page."""
    blocks = [yaml.safe_load(text) for text in _BLOCK.findall(page.read_text())]
    found = [block["labels"] for block in blocks if isinstance(block, dict) and "labels" in block]
    return [_undollared(labels) for labels in found]


def _undollared(labels: dict[str, Any] | list[str]) -> dict[str, str]:
    pairs = labels.items() if isinstance(labels, dict) else (item.split("=", 1) for item in labels)
    return {name: _written(value).replace("$$", "$") for name, value in pairs}


def _written(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def snapshot(labels: dict[str, str]) -> dict[str, Any]:
    """Return what workers get for one container with ``labels``; everything must be sound."""
    container = Container(
        id="1" * 64,
        name="example",
        labels=labels,
        networks={"web": Attachment("id-web", "10.0.0.2")},
        published={"80/tcp": ()},
    )
    assembled = Assembler(settings_of(Options(), "docker"), own_ids=[]).assemble(
        {container.id: container}
    )
    assert [str(found) for found in assembled.diagnostics] == []
    points = {"web": {"address": ":80"}, "websecure": {"address": ":443"}}
    resolvers = {"letsencrypt": {"acme": {}}}
    options = {"entryPoints": points, "certificatesResolvers": resolvers}
    static = decode(StaticConfiguration, options).value
    runtime = build_runtime(static, {"docker": assembled.configuration})
    elements = [*runtime.http.routers.values(), *runtime.http.middlewares.values()]
    assert {each.name: each.errors for each in elements if each.errors} == {}
    return json.loads(json.dumps(snapshot_of(runtime, 1)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_examples_become_routes(page: Path) -> None:
    found = examples(page)
    assert found, "the page has no example"
    kinds = set()
    for labels in found:
        frame = snapshot(labels)
        entrypoint = EntryPoint("web", {})
        builder = Builder(
            {"web": entrypoint},
            admin="/nowhere.sock",
            ping_status=503,
            life_cycle=LifeCycle(),
            unmatched=Unmatched(lambda: 0.0),
        )
        assert builder.apply(frame) == {}
        assert frame["routers"]
        kinds |= {middleware["type"] for middleware in frame["middlewares"].values()}
    assert page.stem in kinds or page.stem == "chain"


def test_every_served_middleware_has_a_page() -> None:
    served = {name for name in TABLE if name == "chain" or builder_of(name)}
    assert served - {page.stem for page in PAGES} == set()
