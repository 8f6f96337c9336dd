"""Merging containers and providers."""

from typing import Any

import pytest

from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import decode_labels, decode_mapping
from edgerouter.config.merge import merge_containers, merge_providers


def container(name: str, labels: dict[str, str]) -> DynamicConfiguration:
    named = {f"traefik.{key}": value for key, value in labels.items()}
    return decode_labels(named, source=f"container {name}", provider="docker")[0]


def from_file(raw: dict[str, Any]) -> DynamicConfiguration:
    configuration, diagnostics = decode_mapping(raw, "f.yml", "file")
    assert diagnostics == []
    return configuration


def urls(configuration: DynamicConfiguration, service: str) -> list[str]:
    balancer = configuration.http.services[service].load_balancer
    assert balancer is not None
    return [server.url for server in balancer.servers]


def replica(name: str, url: str, **more: str) -> DynamicConfiguration:
    labels = {"http.routers.r.rule": "Host(`a`)", "http.services.s.loadbalancer.server.url": url}
    return container(name, labels | {key.replace("_", "."): value for key, value in more.items()})


def test_replicas_become_one_service_with_each_server_once() -> None:
    parts = [replica("a", "http://1"), replica("b", "http://2"), replica("c", "http://2")]
    before = [part.model_copy(deep=True) for part in parts]
    merged, diagnostics = merge_containers(parts, provider="docker")
    assert diagnostics == []
    assert urls(merged, "s") == ["http://1", "http://2"]
    assert merged.sources["http.services.s"] == "container a, container b, container c"
    assert merged.keys["http.services.s"] == "traefik.http.services.s"
    assert parts == before


def test_tcp_replicas() -> None:
    def part(name: str, port: str) -> DynamicConfiguration:
        return container(name, {"tcp.services.s.loadbalancer.server.port": port})

    merged, diagnostics = merge_containers([part("a", "1"), part("b", "2")], provider="docker")
    balancer = merged.tcp.services["s"].load_balancer
    assert balancer is not None
    assert [server.port for server in balancer.servers] == ["1", "2"]
    assert diagnostics == []


@pytest.mark.parametrize(
    ("label", "old", "new", "what"),
    [
        ("http.routers.x.rule", "Host(`a`)", "Host(`b`)", 'router "x"'),
        ("http.services.x.loadbalancer.passhostheader", "true", "false", 'service "x"'),
        ("http.middlewares.x.addprefix.prefix", "/a", "/b", 'middleware "x"'),
        ("tcp.routers.x.rule", "HostSNI(`a`)", "HostSNI(`b`)", 'router "x"'),
    ],
)
def test_the_older_definition_keeps_serving(label: str, old: str, new: str, what: str) -> None:
    parts = [container("old", {label: old}), container("new", {label: new})]
    merged, (diagnostic,) = merge_containers(parts, provider="docker")
    section, group, name, *_ = label.split(".")
    assert getattr(getattr(merged, section), group) == getattr(getattr(parts[0], section), group)
    assert diagnostic.message == (
        f"{what} is defined differently by container old and container new; "
        "the older definition, of container old, keeps serving; "
        "use another name, or the same options everywhere"
    )
    assert (diagnostic.severity, diagnostic.source) == ("error", "container new")
    assert diagnostic.key == f"traefik.{section}.{group}.{name}"
    assert diagnostic.element == f"{section}.{group}.{name}"

    deleted, (diagnostic,) = merge_containers(parts, provider="docker", compat="traefik")
    assert getattr(getattr(deleted, section), group) == {}
    assert deleted.sources == {}
    assert "deleted from all" in diagnostic.message


def test_equal_definitions_are_no_conflict_in_whatever_spelling() -> None:
    parts = [
        container("a", {"http.middlewares.m.stripPrefix.Prefixes": "/a"}),
        container("b", {"http.middlewares.m.stripprefix.prefixes": "/a"}),
    ]
    assert merge_containers(parts, provider="docker")[1] == []


def test_a_definition_with_mistakes_does_not_stand_in_the_way_of_a_sound_one() -> None:
    parts = [
        replica("old", "http://1", http_services_s_loadbalancer_passhostheadr="x"),
        replica("new", "http://2"),
    ]
    merged, diagnostics = merge_containers(parts, provider="docker")
    assert urls(merged, "s") == ["http://2"]
    assert merged.errors == {}
    assert diagnostics == []
    merged, _ = merge_containers(reversed(parts), provider="docker")
    assert urls(merged, "s") == ["http://2"]


def test_mistakes_and_notes_stay_with_their_element() -> None:
    part = container("a", {"http.routers.r.rul": "x"})
    part.notes["http.routers.r"] = {"network": "front"}
    merged, _ = merge_containers([part], provider="docker")
    assert merged.errors == part.errors
    assert merged.notes == {"http.routers.r": {"network": "front"}}


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
    assert merge_containers([], provider="docker") == (DynamicConfiguration(), [])
