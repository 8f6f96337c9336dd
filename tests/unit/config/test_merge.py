"""Merging providers."""

from typing import Any

from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import decode_labels, decode_mapping
from edgerouter.config.merge import merge_providers


def container(name: str, labels: dict[str, str]) -> DynamicConfiguration:
    named = {f"traefik.{key}": value for key, value in labels.items()}
    return decode_labels(named, source=f"container {name}", provider="docker")[0]


def from_file(raw: dict[str, Any]) -> DynamicConfiguration:
    configuration, diagnostics = decode_mapping(raw, "f.yml", "file")
    assert diagnostics == []
    return configuration


def test_providers_meet_under_qualified_names() -> None:
    docker = container(
        "a",
        {
            "http.routers.r.rule": "x",
            "http.routers.r.middlewares": "m,n@file",
            "http.routers.r.service": "s",
            "http.services.s.loadbalancer.serverstransport": "t",
            "http.services.s.middlewares": "m",
            "http.middlewares.m.addprefix.prefix": "/",
        },
    )
    file = from_file({"http": {"routers": {"r": {"rule": "y", "service": "s@docker"}}}})
    merged, diagnostics = merge_providers({"file": file, "docker": docker})
    assert diagnostics == []
    assert set(merged.http.routers) == {"r@docker", "r@file"}
    assert merged.http.routers["r@docker"].middlewares == ["m@docker", "n@file"]
    service = merged.http.services["s@docker"]
    assert service.middlewares == ["m@docker"]
    assert service.load_balancer is not None
    assert service.load_balancer.servers_transport == "t@docker"
    assert set(merged.http.middlewares) == {"m@docker"}
    assert merged.sources["http.routers.r@docker"] == "container a"
    assert merged.keys["http.routers.r@file"] == "http.routers.r"


def test_tls_defaults_of_several_providers_do_not_count() -> None:
    options = {"tls": {"options": {"default": {"sniStrict": True}, "mine": {}}}}
    merged, diagnostics = merge_providers({"file": from_file(options)})
    assert set(merged.tls.options) == {"default", "mine@file"}
    assert diagnostics == []
    merged, (diagnostic,) = merge_providers(
        {"file": from_file(options), "http": from_file(options)}
    )
    assert set(merged.tls.options) == {"mine@file", "mine@http"}
    assert "several providers (file, http)" in diagnostic.message


def test_certificates_of_all_providers_count() -> None:
    one = from_file({"tls": {"certificates": [{"certFile": "a", "keyFile": "b"}]}})
    two = from_file({"tls": {"certificates": [{"certFile": "c", "keyFile": "d"}]}})
    merged, _ = merge_providers({"file": one, "http": two})
    assert [certificate.cert_file for certificate in merged.tls.certificates] == ["a", "c"]


def test_nothing_merges_into_nothing() -> None:
    assert merge_providers({}) == (DynamicConfiguration(), [])
