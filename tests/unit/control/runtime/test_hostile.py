"""Nothing a container or a file says keeps the runtime view from being built and sent."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgerouter.config.containers import Place, merge_containers
from edgerouter.config.decode import decode
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import decode_labels, decode_mapping
from edgerouter.config.schema import fields_of
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from edgerouter.middleware import TABLE, options_of

POINTS = {"web": {"address": ":80", "http": {"middlewares": ["a@file"]}}, "two": {"address": ":81"}}
STATIC = decode(
    StaticConfiguration, {"entryPoints": POINTS, "ping": {}, "api": {"insecure": True}}
).value

TEXT = (
    st.sampled_from(
        ["a", "b", "a@file", "web", "Host(`a`)", "PathPrefix(`/`)", "http://a:1", "1", "x://"]
    )
    | st.text(max_size=6)
    | st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=4)
)
SCALARS = TEXT | st.booleans() | st.integers(-(2**64), 2**64) | st.none()


def of(names: list[str], values: Any) -> Any:
    return st.dictionaries(st.sampled_from(names) | TEXT, values, max_size=4)


VALUES = SCALARS | st.lists(SCALARS, max_size=2)
ROUTERS = of(
    ["a", "b"], of(["rule", "service", "middlewares", "priority", "tls", "entryPoints"], VALUES)
)
MIDDLEWARES = of(
    ["a", "b"],
    st.sampled_from(sorted(TABLE)).flatmap(
        lambda name: st.fixed_dictionaries(
            {
                name: of(
                    [spec.alias for spec in fields_of(options_of(name))], VALUES | of(["a"], VALUES)
                )
            }
        )
    ),
)
SERVERS = st.lists(of(["url", "weight"], SCALARS), max_size=3)
SERVICES = of(
    ["a", "b"],
    of(
        ["loadBalancer", "weighted", "mirroring"],
        of(["servers", "services"], SERVERS) | of(["strategy", "service", "sticky"], SCALARS),
    ),
)
HTTP = st.fixed_dictionaries(
    {
        "routers": ROUTERS,
        "middlewares": MIDDLEWARES,
        "services": SERVICES,
        "models": of(["web"], VALUES),
    }
)


def build(configuration: DynamicConfiguration, provider: str) -> None:
    view = build_runtime(STATIC, {provider: configuration})
    json.dumps(snapshot_of(view, 1)).encode()
    for info in (*view.http.routers.values(), *view.http.services.values()):
        assert (info.status == "enabled") == (not info.errors)
    for finding in view.diagnostics:
        str(finding).encode()


@example({"middlewares": {"a": {"addPrefix": {"prefix": {"\ud800": None}}}}})
@given(HTTP)
@settings(max_examples=200, deadline=None)
def test_files(http: dict[str, Any]) -> None:
    configuration, diagnostics = decode_mapping({"http": http}, "f.yml", "file")
    build(configuration, "file")
    for finding in diagnostics:
        str(finding).encode()


def flattened(tree: Any, path: str) -> dict[str, str]:
    if isinstance(tree, dict):
        parts = [flattened(item, f"{path}.{key}") for key, item in tree.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {path: str(tree)}


@given(st.lists(HTTP, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_containers(containers: list[dict[str, Any]]) -> None:
    parts = []
    for number, http in enumerate(containers):
        labels = flattened(http, "traefik.http")
        configuration, diagnostics = decode_labels(
            labels, source=f"container {number}", provider="docker"
        )
        parts.append(configuration)
        for finding in diagnostics:
            str(finding).encode()
    placed = [(Place("", str(number)), part) for number, part in enumerate(parts)]
    build(merge_containers(placed, provider="docker")[0], "docker")
