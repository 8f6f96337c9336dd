"""Containers into configuration: what Traefik does with the same labels, and what it should."""

from collections.abc import Mapping
from typing import Any

import pytest

from edgerouter.provider import normalize
from edgerouter_docker.assemble import Assembled, Assembler
from edgerouter_docker.inventory import SILENT, Attachment, Binding, Container
from edgerouter_docker.options import Options
from edgerouter_docker.routers import service_name
from edgerouter_docker.translate import settings_of

RULE = "traefik.http.routers.api.rule"
PORT = "traefik.http.services.api.loadbalancer.server.port"


def container(name: str = "api", ip: str = "10.0.0.2", **changes: Any) -> Container:
    values: dict[str, Any] = {
        "id": f"{name:0>64}",
        "networks": {"web": Attachment("id-web", ip)},
        "published": {"80/tcp": ()},
        "labels": {},
        **changes,
    }
    return Container(name=name, **values)


def assemble(
    *containers: Container,
    own: str = "",
    answering: tuple[tuple[str, int], ...] = (),
    **options: Any,
) -> Assembled:
    settings = settings_of(Options.model_validate(options), "docker")
    assembler = Assembler(settings, own_ids=[own] if own else [])
    answers = {c.id: frozenset(answering) for c in containers}
    return assembler.assemble({c.id: c for c in containers}, answering=answers)


def rules(assembled: Assembled) -> dict[str, str]:
    found = assembled.configuration
    return {
        name: router.rule
        for name, router in found.http.routers.items()
        if f"http.routers.{name}" not in found.errors
    }


def servers(assembled: Assembled, service: str = "api") -> list[str]:
    balancer = assembled.configuration.http.services[service].load_balancer
    assert balancer is not None
    return [server.url for server in balancer.servers]


def texts(assembled: Assembled) -> str:
    return "\n".join(map(str, assembled.diagnostics))


# Names and automatic elements


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("web_shop", "web-shop"),
        ("/a.b--c/", "a-b-c"),
        ("Größe 1", "Größe-1"),
        ("___", ""),
        ("plain", "plain"),
    ],
)
def test_normalize(name: str, normal: str) -> None:
    assert normalize(name) == normal


def test_service_names() -> None:
    compose = {"com.docker.compose.project": "my_shop", "com.docker.compose.service": "api"}
    assert service_name(container(labels=compose)) == "api-my-shop"
    assert service_name(container("some_thing")) == "some-thing"


def test_nothing_said_makes_one_router_and_one_service() -> None:
    found = assemble(container("some_api"))
    assert rules(found) == {"some-api": "Host(`some-api`)"}
    assert found.configuration.http.routers["some-api"].service == "some-api"
    assert servers(found, "some-api") == ["http://10.0.0.2:80"]
    assert found.configuration.sources["http.routers.some-api"] == "container some_api"
    assert found.diagnostics == ()


def test_default_rule_is_a_template() -> None:
    found = assemble(
        container(labels={"domain": "EXAMPLE.com"}),
        defaultRule='Host(`{{ .ContainerName }}.{{ index .Labels "domain" | lower }}`)',
    )
    assert rules(found) == {"api": "Host(`api.example.com`)"}
    assert found.configuration.http.routers["api"].has_default_rule


def test_default_rule_that_fails_is_the_containers_own_problem() -> None:
    found = assemble(
        container(),
        container("fine", ip="10.0.0.3", labels={"traefik.http.routers.fine.rule": "Path(`/`)"}),
        defaultRule="Host(`{{ .Nothing }}`)",
    )
    assert rules(found) == {"fine": "Path(`/`)"}
    assert "container api: Error while parsing default rule: " in texts(found)


def test_default_rule_that_comes_out_empty() -> None:
    found = assemble(container(), defaultRule="{{ if false }}x{{ end }}")
    assert rules(found) == {}
    assert "Undefined rule" in texts(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"defaultRule": "{{ .Name"}, "providers.docker.defaultRule: "),
        ({"constraints": "Label("}, "column 7"),
    ],
)
def test_malformed_options(options: Mapping[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings_of(Options.model_validate(options), "docker")


def test_one_service_is_linked() -> None:
    found = assemble(container(labels={RULE: "Host(`a`)", PORT: "8080"}))
    assert found.configuration.http.routers["api"].service == "api"
    assert servers(found) == ["http://10.0.0.2:8080"]


def test_several_services_cannot_be_linked() -> None:
    labels = {RULE: "Host(`a`)", PORT: "8080", PORT.replace("api", "admin"): "9090"}
    labels["traefik.http.routers.admin.rule"] = "Host(`b`)"
    labels["traefik.http.routers.admin.service"] = "admin"
    found = assemble(container(labels=labels))
    assert rules(found) == {"admin": "Host(`b`)"}
    assert (
        "container api, traefik.http.routers.api: Router api cannot be linked automatically with"
        ' multiple Services: ["admin" "api"]; set the label traefik.http.routers.api.service'
    ) in texts(found)


def test_several_services_without_a_router() -> None:
    found = assemble(container(labels={PORT: "8080", PORT.replace("api", "admin"): "9090"}))
    assert rules(found) == {}
    assert "no router was made" in texts(found)


def test_middlewares_alone_get_a_router() -> None:
    found = assemble(container(labels={"traefik.http.middlewares.m.addprefix.prefix": "/x"}))
    assert rules(found) == {"api": "Host(`api`)"}


def test_tcp_alone_brings_no_http() -> None:
    found = assemble(container(labels={"traefik.tcp.routers.db.rule": "HostSNI(`*`)"}))
    assert found.configuration.http.routers == {}
    assert found.configuration.http.services == {}
    assert found.configuration.tcp.routers["db"].service == "api"
    balancer = found.configuration.tcp.services["api"].load_balancer
    assert balancer is not None
    assert [server.address for server in balancer.servers] == ["10.0.0.2:80"]


def test_tcp_needs_a_rule() -> None:
    found = assemble(container(labels={"traefik.tcp.routers.db.service": "x"}))
    assert "Empty rule" in found.configuration.errors["tcp.routers.db"][0]


def test_udp_takes_udp_ports() -> None:
    found = assemble(
        container(
            labels={"traefik.udp.routers.dns.entrypoints": "dns"},
            published={"53/udp": (), "80/tcp": ()},
        )
    )
    balancer = found.configuration.udp.services["api"].load_balancer
    assert balancer is not None
    assert [server.address for server in balancer.servers] == ["10.0.0.2:53"]


def test_the_routers_own_container_gets_no_route_back_to_itself() -> None:
    labels = {
        "traefik.http.routers.dashboard.rule": "Host(`admin`)",
        "traefik.http.routers.dashboard.service": "api@internal",
        "traefik.http.routers.loop.service": "edge",
    }
    own = container("edge", labels=labels)
    found = assemble(own, own=own.id)
    assert rules(found) == {"dashboard": "Host(`admin`)"}
    assert "back to itself" in texts(found)
    assert rules(assemble(container("edge"), own=own.id)) == {}


# Servers


def test_scheme_and_ipv6() -> None:
    labels = {PORT: "443", PORT.replace("port", "scheme"): "https"}
    found = assemble(
        container(labels=labels, networks={"web": Attachment("id-web", "", "fd00::2")})
    )
    assert servers(found) == ["https://[fd00::2]:443"]


def test_url_label() -> None:
    url = PORT.replace("port", "url")
    assert servers(assemble(container(labels={url: "http://far:1"}))) == ["http://far:1"]
    found = assemble(container(labels={url: "http://far:1", PORT: "80"}))
    assert servers(found) == []
    assert "neither server.port nor server.scheme" in texts(found)


def test_weight_is_kept() -> None:
    found = assemble(container(labels={PORT: "1", PORT.replace("port", "weight"): "7"}))
    balancer = found.configuration.http.services["api"].load_balancer
    assert balancer is not None
    assert balancer.servers[0].weight == 7


def test_no_port_disables_the_service_and_names_the_label() -> None:
    labels = {RULE: "Host(`a`)", "traefik.enable": "true"}
    found = assemble(
        container(labels=labels, published={}),
        container("other", ip="10.0.0.3"),
    )
    assert "set the label traefik.http.services.api.loadbalancer.server.port" in texts(found)
    assert "http.services.api" in found.configuration.errors
    assert servers(found, "other") == ["http://10.0.0.3:80"]
    (diagnostic,) = found.diagnostics
    assert diagnostic.severity == "error"


def test_no_port_of_a_container_nobody_labelled_is_a_warning() -> None:
    (diagnostic,) = assemble(container(published={})).diagnostics
    assert diagnostic.severity == "warning"


def test_one_replica_without_a_server_does_not_disable_the_service() -> None:
    labels = {RULE: "Host(`a`)", PORT: "80"}
    found = assemble(
        container("one", labels=labels),
        container("two", labels=labels, networks={}),
    )
    assert servers(found) == ["http://10.0.0.2:80"]
    assert found.configuration.errors == {}
    assert "container two" in texts(found)


def test_published_address() -> None:
    bindings = {"80/tcp": (Binding("192.0.2.1", "8080"),)}
    assert servers(assemble(container(published=bindings), useBindPortIP=True)) == [
        "http://192.0.2.1:8080"
    ]
    found = assemble(container(), useBindPortIP=True)
    assert servers(found) == ["http://10.0.0.2:80"]
    assert "useBindPortIP: port 80 is not published" in texts(found)


def test_notes_say_which_rule_decided() -> None:
    found = assemble(container())
    assert found.configuration.notes["http.services.api"] == {
        "port": "80: the only exposed TCP port",
        "network": "web: the first of the container's networks by name",
    }


def test_own_networks_decide() -> None:
    edge = container("edge", networks={"back": Attachment("id-back", "10.1.0.1")})
    api = container(
        networks={
            "back": Attachment("id-back", "10.1.0.2"),
            "aaa": Attachment("id-aaa", "10.0.0.2"),
        }
    )
    assert servers(assemble(edge, api, own=edge.id[:12])) == ["http://10.1.0.2:80"]


NETWORKS = {"a": Attachment("id-a", "10.0.1.2"), "b": Attachment("id-b", "10.0.2.2")}


def test_the_port_that_answers() -> None:
    odd = container(published={"7000/tcp": (), "9000/tcp": ()})
    assert servers(assemble(odd)) == ["http://10.0.0.2:7000"]
    found = assemble(odd, answering=(("10.0.0.2", 9000),))
    assert servers(found) == ["http://10.0.0.2:9000"]
    assert found.configuration.notes["http.services.api"] == {
        "port": "9000: the first of the exposed TCP ports that answers",
        "network": "web: the first of the container's networks by name",
    }
    assert "(7000, 9000); 9000 was taken" in texts(found)


def test_a_port_that_answers_and_is_not_exposed() -> None:
    labelled = container(labels={RULE: "Host(`a`)"}, published={})
    found = assemble(labelled)
    assert "nothing answers on 80, 8080, 3000, 8000, 5000" in texts(found)
    assert "http.services.api" in found.configuration.errors
    found = assemble(labelled, answering=(("10.0.0.2", 8000),))
    assert servers(found) == ["http://10.0.0.2:8000"]
    assert found.configuration.errors == {}
    assert "8000 was taken, because something answers there" in texts(found)
    # Nobody has asked for a route to it.
    assert servers(assemble(container(published={}), answering=(("10.0.0.2", 8000),))) == []


def test_the_network_by_which_it_answers() -> None:
    two = container(networks=NETWORKS)
    assert servers(assemble(two)) == ["http://10.0.1.2:80"]
    found = assemble(two, answering=(("10.0.2.2", 80),))
    assert servers(found) == ["http://10.0.2.2:80"]
    assert found.configuration.notes["http.services.api"] == {
        "port": "80: the only exposed TCP port",
        "network": "b: the first of the container's networks by which it answers",
    }
    both = assemble(two, answering=(("10.0.2.2", 80), ("10.0.1.2", 80)))
    assert servers(both) == ["http://10.0.1.2:80"]


def test_a_network_that_is_not_shared_counts_if_it_answers() -> None:
    edge = container("edge", networks={"back": Attachment("id-back", "10.1.0.1")})
    far = container(networks=NETWORKS, labels={RULE: "Host(`a`)"})
    found = assemble(edge, far, own=edge.id[:12])
    assert servers(found) == []
    assert "shares no network with the router, and answers by none" in texts(found)
    found = assemble(edge, far, own=edge.id[:12], answering=(("10.0.2.2", 80),))
    assert servers(found) == ["http://10.0.2.2:80"]


def test_as_traefik_nobody_is_asked() -> None:
    odd = container(published={"7000/tcp": (), "9000/tcp": ()}, networks=NETWORKS)
    answering = (("10.0.2.2", 9000),)
    assert servers(assemble(odd, answering=answering, compat="traefik")) == ["http://10.0.1.2:7000"]


def test_published_ports_are_not_asked_for() -> None:
    bindings = {"7000/tcp": (Binding("192.0.2.1", "8080"),), "9000/tcp": ()}
    found = assemble(
        container(published=bindings), useBindPortIP=True, answering=(("10.0.0.2", 9000),)
    )
    assert servers(found) == ["http://192.0.2.1:8080"]


# Which containers


@pytest.mark.parametrize(
    ("labels", "exposed", "kept"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"traefik.enable": "true"}, False, True),
        ({"traefik.enable": "false"}, True, False),
        ({"traefik.Enable": "1"}, False, True),
        ({"edgerouter.enable": "true", "traefik.enable": "false"}, False, True),
    ],
)
def test_enable(labels: dict[str, str], exposed: bool, kept: bool) -> None:
    assert bool(rules(assemble(container(labels=labels), exposedByDefault=exposed))) is kept


def test_enable_that_is_no_bool_is_reported() -> None:
    found = assemble(container(labels={"traefik.enable": "yes"}))
    assert rules(found) == {}
    assert 'container api, traefik.enable: expected true or false, got "yes"' in texts(found)


@pytest.mark.parametrize("root", ["traefik", "edgerouter"])
def test_enable_without_a_value_is_a_mistake(root: str) -> None:
    found = assemble(container(labels={f"{root}.enable": ""}))
    assert rules(found) == {}
    assert f'container api, {root}.enable: expected true or false, got ""' in texts(found)


@pytest.mark.parametrize(
    "label",
    [
        "traefik.http.routers..rule",
        "traefik.http..routers.a.rule",
        "traefik.http.routers",
        "traefik.http",
        "Traefik.HTTP.Routers.a.rule",
        "trafik.http.routers.a.rule",
    ],
)
def test_no_router_takes_the_place_of_one_with_mistakes(label: str) -> None:
    found = assemble(container(labels={label: "Host(`a`)"}))
    assert found.configuration.http.routers == {}
    message = f"no router was made for the container: something is wrong with the label {label}"
    assert message in texts(found)
    # Other labels may be as wrong as they like.
    found = assemble(container(labels={"traefik.http.services..x": "y"}))
    assert set(rules(found)) == {"api"}


def test_a_mistake_in_labels_drops_the_container_as_traefik_does() -> None:
    labels = {RULE: "Host(`a`)", PORT: "80", "traefik.http.routers.other.rul": "Host(`b`)"}
    found = assemble(container(labels=labels), container("fine", ip="10.0.0.3"))
    assert rules(found) == {"api": "Host(`a`)", "fine": "Host(`fine`)"}
    found = assemble(container(labels=labels), container("fine", ip="10.0.0.3"), compat="traefik")
    assert rules(found) == {"fine": "Host(`fine`)"}
    assert set(found.configuration.http.services) == {"fine"}
    assert "container api: the container is left out for its mistakes" in texts(found)


@pytest.mark.parametrize("labels", [{PORT: "80", PORT.replace("port", "url"): "http://a"}, {}])
def test_a_service_without_a_server_drops_the_container_as_in_traefik(
    labels: dict[str, str],
) -> None:
    given = container(labels={RULE: "Host(`a`)", **labels}, published={})
    assert rules(assemble(given)) == {"api": "Host(`a`)"}
    assert rules(assemble(given, compat="traefik")) == {}


def test_what_traefik_ignores_in_labels_drops_nothing() -> None:
    labels = {RULE: "Host(`a`)", PORT: "80", "trafik.http.routers.b.rule": "x"}
    labels["traefik.http.routers.b.parentrefs"] = "x"
    found = assemble(container(labels=labels), compat="traefik")
    assert rules(found) == {"api": "Host(`a`)", "b": "Host(`api`)"}
    assert not found.configuration.errors
    # And so a router is made where the labels were to make another one.
    found = assemble(container(labels={"trafik.http.routers.b.rule": "x"}), compat="traefik")
    assert rules(found) == {"api": "Host(`api`)"}


def test_several_ports_name_the_label_to_set() -> None:
    found = assemble(container(published={"7000/tcp": (), "9000/tcp": ()}))
    (diagnostic,) = found.diagnostics
    assert diagnostic.message == (
        "the container exposes several TCP ports (7000, 9000); 7000 was taken, set the label"
        " traefik.http.services.api.loadbalancer.server.port to be sure"
    )


def test_constraints() -> None:
    found = assemble(
        container(labels={"tier": "web"}),
        container("db", labels={"tier": "db"}),
        constraints="Label(`tier`, `web`)",
    )
    assert set(rules(found)) == {"api"}


@pytest.mark.parametrize("status", ["created", "paused", "restarting", "exited", "dead"])
def test_only_running_containers(status: str) -> None:
    stopped = container(status=status, labels={RULE: "Host(`a`)", PORT: "80"})
    assert rules(assemble(stopped)) == {}
    stopped = container(
        status=status,
        networks={},
        labels={RULE: "Host(`a`)", PORT: "80", "traefik.docker.allownonrunning": "true"},
    )
    found = assemble(stopped)
    assert rules(found) == {"api": "Host(`a`)"}
    assert servers(found) == []
    assert found.configuration.errors == {}
    assert found.diagnostics == ()


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_health(health: str) -> None:
    labels = {RULE: "Host(`a`)", PORT: "80"}
    found = assemble(container(health=health, labels=labels))
    assert rules(found) == {}
    assert f"its health check says {health}" in texts(found)
    found = assemble(container(health=health, labels=labels), allowEmptyServices=True)
    assert rules(found) == {"api": "Host(`a`)"}
    assert servers(found) == []
    assert found.diagnostics == ()
    reason = f"container api: its health check says {health}"
    assert found.configuration.notes["http.services.api"] == {"absent": reason}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "paused"}, "it is paused"),
        ({"health": SILENT}, "nothing listens on its port yet"),
    ],
)
def test_a_service_without_a_server_says_why(changes: dict[str, str], reason: str) -> None:
    found = assemble(container(labels={RULE: "Host(`a`)"}, **changes), allowEmptyServices=True)
    assert servers(found) == []
    assert found.configuration.notes["http.services.api"] == {"absent": f"container api: {reason}"}


# Together


@pytest.mark.parametrize(
    ("more", "replica"),
    [
        ({"com.docker.compose.container-number": "2"}, "2"),
        ({"com.docker.swarm.task.name": "shop_web.3.k2x7"}, "3"),
        ({"com.docker.swarm.task.name": "odd"}, "one"),
        ({}, "one"),
    ],
)
def test_replicas_are_named_by_what_outlives_the_container(
    more: dict[str, str], replica: str
) -> None:
    sticky = "edgerouter.http.services.api.loadbalancer.sticky.cookie.replica"
    labels = {RULE: "Host(`a`)", PORT: "80", sticky: "true", **more}
    found = assemble(container("one", ip="10.0.0.2", labels=labels))
    balancer = found.configuration.http.services["api"].load_balancer
    assert balancer is not None
    assert [server.replica for server in balancer.servers] == [replica]


def test_replicas_and_a_contradiction() -> None:
    labels = {RULE: "Host(`a`)", PORT: "80"}
    found = assemble(
        container("one", ip="10.0.0.2", labels=labels, created_at="2026-01-02"),
        container("two", ip="10.0.0.3", labels=labels, created_at="2026-01-01"),
        container("bad", ip="10.0.0.4", labels={RULE: "Host(`b`)"}, created_at="2026-01-03"),
    )
    assert rules(found)["api"] == "Host(`a`)"
    assert servers(found) == ["http://10.0.0.3:80", "http://10.0.0.2:80"]
    assert "defined differently by container two and container bad" in texts(found)


def test_only_what_changed_is_translated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import edgerouter_docker.assemble as module

    seen: list[str] = []
    real = module.translate

    def counting(container: Container, *rest: Any) -> Any:
        seen.append(container.name)
        return real(container, *rest)

    monkeypatch.setattr(module, "translate", counting)
    assembler = Assembler(settings_of(Options(), "docker"))
    one, two = container("one"), container("two", ip="10.0.0.3")
    assembler.assemble({one.id: one, two.id: two})
    again = container("one")
    assembler.assemble({again.id: again, two.id: container("two", ip="10.0.0.4")})
    assert seen == ["one", "two", "two"]
