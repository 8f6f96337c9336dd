"""Elements as the API shows them, where there is no Traefik to compare with."""

from typing import Any

from edgerouter.config.decode import decode
from edgerouter.config.labels import decode_labels
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.elements import middleware_item, service_item
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime


def built(labels: dict[str, str]) -> RuntimeConfiguration:
    static = decode(StaticConfiguration, {"entryPoints": {"web": {"address": ":80"}}}).value
    named = {f"traefik.http.{key}": value for key, value in labels.items()}
    decoded, diagnostics = decode_labels(named, source="container c", provider="docker")
    return build_runtime(static, {"docker": decoded}, diagnostics)


def service(**options: str) -> dict[str, Any]:
    balancer = {"server.url": "http://10.0.0.2", **options}
    labels = {f"services.s.loadbalancer.{key}": value for key, value in balancer.items()}
    return service_item(built(labels).http.services["s@docker"], (), ())


def test_options_of_our_own_stand_apart() -> None:
    shown = service(
        **{"hold": "10s", "maxconnections": "5", "outlierdetection.consecutive5xx": "3"}
    )
    assert set(shown["loadBalancer"]) == {
        "servers",
        "strategy",
        "passHostHeader",
        "responseForwarding",
    }
    own = shown["edgerouter"]["loadBalancer"]
    assert (own["hold"], own["maxConnections"]) == ("10s", 5)
    assert own["outlierDetection"]["consecutive5xx"] == 3
    assert "loadBalancer" not in service()["edgerouter"]


def test_the_name_that_a_sticky_cookie_gets() -> None:
    cookie = service(**{"sticky.cookie": "true"})["loadBalancer"]["sticky"]["cookie"]
    assert cookie == {"name": "_74a0d", "path": "/"}
    cookie = service(**{"sticky.cookie.name": "mine"})["loadBalancer"]["sticky"]["cookie"]
    assert cookie["name"] == "mine"


def test_a_middleware_without_a_type() -> None:
    http = built({"middlewares.m": "x"}).http
    shown = middleware_item(http.middlewares["m@docker"], ())
    assert (shown["status"], shown["type"]) == ("disabled", "")
    assert "" not in shown


def test_a_name_with_a_mistake_keeps_its_provider() -> None:
    http = built({"routers.a@b.rule": "Path(`/`)"}).http
    info = http.routers["a@b@docker"]
    assert (info.provider, info.is_served) == ("docker", False)
    assert info.errors[0] == 'traefik.http.routers.a@b: a name must not contain "@"'
