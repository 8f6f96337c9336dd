"""Routers below routers: ``parentRefs``. The first layer has hosts of its own."""

from typing import Any

MIDDLEWARES: dict[str, Any] = {
    "layer-role": {"headers": {"customRequestHeaders": {"X-Role": "admin"}}},
    "layer-parent": {"headers": {"customResponseHeaders": {"X-Parent": "passed"}}},
    "layer-child": {
        "headers": {
            "customRequestHeaders": {"X-Leaf": "1"},
            "customResponseHeaders": {"X-Child": "passed"},
        }
    },
}


def _parent(name: str, *middlewares: str, **more: Any) -> dict[str, Any]:
    rule = f"Host(`{name}.test`)"
    return {"rule": rule, "service": "", "middlewares": list(middlewares), **more}


def _child(rule: str, *parents: str, **more: Any) -> dict[str, Any]:
    return {"rule": rule, "parentRefs": list(parents), **more}


ROUTERS: dict[str, dict[str, Any]] = {
    "layer": _parent("layer", "layer-role", "strip", "layer-parent"),
    "layer-admin": _child(
        "Header(`X-Role`, `admin`) && PathPrefix(`/x`)", "layer", middlewares=["layer-child"]
    ),
    "layer-mid": _child(
        "PathPrefix(`/mid`)", "layer", "layer-two@file", service="", middlewares=["layer-child"]
    ),
    "layer-leaf": _child("Header(`X-Leaf`, `1`)", "layer-mid"),
    "layer-two": _parent("layer-two", entryPoints=["web", "prefixed"]),
    "layer-low": _child("PathPrefix(`/priority`)", "layer-two"),
    "layer-high": _child("PathPrefix(`/pri`)", "layer-two", priority=1000),
    "layer-other-host": _child("Host(`layer-two.test`) && Path(`/host`)", "layer-two"),
    "layer-foreign-host": _child("Host(`other.test`)", "layer-two"),
    "layer-greedy": _child("Path(`/greedy`)", "layer-two", priority=9223372036854775807),
    "layer-lost": _child("Path(`/lost`)", "layer-nowhere"),
    "layer-half-lost": _child("Path(`/half`)", "layer-nowhere", "layer-two"),
    "layer-observed": _child("Path(`/obs`)", "layer-two", observability={"accessLogs": False}),
    "layer-listening": _child("Path(`/ep`)", "layer-two", entryPoints=["web"]),
    "layer-no-middleware": _child("Path(`/nomw`)", "layer-two", middlewares=["nobody"]),
    "layer-no-service": _child("Path(`/nosvc`)", "layer-two", service=""),
    "layer-foreign-service": _child("Path(`/svc`)", "layer-two", service="nobody"),
    "layer-bad-rule": _child("Nope(`/x`)", "layer-two"),
    "layer-both": _parent("layer-both", service="api"),
    "layer-below-both": _child("PathPrefix(`/`)", "layer-both"),
    "layer-circle-a": _child("PathPrefix(`/`)", "layer-circle-b", service=""),
    "layer-circle-b": _child("PathPrefix(`/`)", "layer-circle-a", service=""),
    "layer-self": _child("PathPrefix(`/`)", "layer-self"),
    "layer-round": _parent("layer-round"),
    "layer-round-a": _child("PathPrefix(`/`)", "layer-round", "layer-round-b", service=""),
    "layer-round-b": _child("PathPrefix(`/`)", "layer-round-a", service=""),
    "layer-round-leaf": _child("PathPrefix(`/leaf`)", "layer-round-b"),
    "layer-barren": _parent("layer-barren"),
    "layer-barren-child": _child("Nope(`/`)", "layer-barren"),
    "layer-deny": _parent("layer-deny", entryPoints=["deny"]),
    "layer-below-deny": _child("PathPrefix(`/`)", "layer-deny"),
    "layer-limited": _parent("layer-limited"),
    "layer-limited-too": _parent("layer-limited-too"),
    "layer-shared": _child(
        "PathPrefix(`/`)",
        "layer-limited",
        "layer-limited-too",
        service="api",
        middlewares=["rl-burst"],
    ),
}
