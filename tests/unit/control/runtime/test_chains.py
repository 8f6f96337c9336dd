"""``chain``: what chains come down to, and which cannot be used."""

from typing import Any

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.elements import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime

STATIC = decode(StaticConfiguration, {"entryPoints": {"web": {"address": ":80"}}}).value
LEAF = {"addPrefix": {"prefix": "/x"}}


def runtime(chains: dict[str, list[str]], *, use: str) -> RuntimeConfiguration:
    """Build chains, the middleware ``leaf``, and routers: ``r`` uses ``use``, ``other`` leaf."""
    http = {
        "routers": {
            "r": {"rule": "Host(`r`)", "service": "s", "middlewares": [use]},
            "other": {"rule": "Host(`o`)", "service": "s", "middlewares": ["leaf"]},
        },
        "middlewares": {
            "leaf": LEAF,
            **{name: {"chain": {"middlewares": names}} for name, names in chains.items()},
        },
        "services": {"s": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}}},
    }
    configuration, found = decode_mapping({"http": http}, "f.yml", "file")
    return build_runtime(STATIC, {"file": configuration}, found)


def test_chains_in_chains_run_in_their_order_and_as_often_as_they_are_named() -> None:
    chains = {"a": ["b", "leaf", "b"], "b": ["c"], "c": ["leaf", "leaf"]}
    view = runtime(chains, use="a")
    assert view.http.routers["r@file"].middlewares == ["leaf@file"] * 5
    assert view.diagnostics == ()


@pytest.mark.parametrize(
    ("chains", "path"),
    [
        ({"a": ["a"]}, "a@file -> a@file"),
        ({"a": ["leaf", "b"], "b": ["a"]}, "a@file -> b@file -> a@file"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a@file -> b@file -> c@file -> a@file"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "b@file -> c@file -> b@file"),
    ],
)
def test_a_cycle_is_told_of_each_chain_in_it(chains: dict[str, list[str]], path: str) -> None:
    view = runtime(chains, use="a")
    message = f"the chain of middlewares comes back to itself: {path}"
    assert view.http.middlewares["a@file"].errors == [message]
    finding = next(found for found in view.diagnostics if found.message == message)
    assert (finding.element, finding.key) == ("http.middlewares.a", "http.middlewares.a")
    assert view.http.routers["r@file"].status == "disabled"
    assert message in view.http.routers["r@file"].errors[0]
    assert all(not view.http.middlewares[f"{name}@file"].is_served for name in chains)
    assert view.http.routers["other@file"].status == "enabled"


def doubling(depth: int, last: list[str]) -> dict[str, list[str]]:
    """Return chains that name the next one twice each."""
    chains = {f"c{n}": [f"c{n + 1}"] * 2 for n in range(depth)}
    return {**chains, f"c{depth}": last}


@pytest.mark.parametrize(
    "chains",
    [
        {"c0": ["leaf"] * 200},
        doubling(60, ["leaf"]),
        doubling(60, ["c60"]),
        {**{f"c{n}": [f"c{n + 1}"] for n in range(2000)}, "c2000": ["leaf"]},
    ],
    ids=["many", "doubling", "doubling-cycle", "deep"],
)
def test_chains_that_come_down_to_too_much(chains: dict[str, Any]) -> None:
    view = runtime(chains, use="c0")
    assert any("come down to more than 200" in e for e in view.http.middlewares["c0@file"].errors)
    assert view.http.routers["r@file"].status == "disabled"
    assert view.http.routers["other@file"].status == "enabled"


def test_a_long_chain_is_still_used() -> None:
    view = runtime({"a": ["leaf"] * 198}, use="a")
    assert len(view.http.routers["r@file"].middlewares) == 198
