"""Merging containers: what they share, and what becomes of contradictions."""

from collections.abc import Iterable

import pytest

from edgerouter.config.containers import Place, merge_containers
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.labels import decode_labels

ROUTER = "http.routers.web"
SERVICE = "http.services.web"
GUARD = "http.middlewares.guard"


def container(name: str, labels: dict[str, str]) -> DynamicConfiguration:
    named = {f"traefik.{key}": value for key, value in labels.items()}
    return decode_labels(named, source=f"container {name}", provider="docker")[0]


def project(name: str, rule: str, **more: str) -> DynamicConfiguration:
    """A container whose router and service are called as everybody's are."""
    return container(
        name,
        {
            f"{ROUTER}.rule": rule,
            f"{ROUTER}.service": "web",
            f"{SERVICE}.loadbalancer.server.url": f"http://{name}",
            **{key.replace("__", "."): value for key, value in more.items()},
        },
    )


def merge(
    *parts: DynamicConfiguration, places: Iterable[str] = (), compat: str = ""
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Merge containers, the oldest first.

    Each is in a place of its own unless ``places`` says otherwise (``project/service``).
    """
    named = list(places) or [f"/{number}" for number in range(len(parts))]
    taken = [Place(*name.split("/")) for name in named]
    return merge_containers(zip(taken, parts, strict=True), provider="docker", compat=compat)


def urls(configuration: DynamicConfiguration, service: str = "web") -> list[str]:
    balancer = configuration.http.services[service].load_balancer
    assert balancer is not None
    return [server.url for server in balancer.servers]


def in_service(configuration: DynamicConfiguration) -> set[str]:
    """The paths of the elements that nothing speaks against."""
    return set(configuration.sources) - set(configuration.errors)


# Alike


def test_replicas_become_one_service_with_each_server_once() -> None:
    parts = [project(name, "Host(`a`)") for name in ("a", "b", "b", "c", "a")]
    before = [part.model_copy(deep=True) for part in parts]
    merged, diagnostics = merge(*parts)
    assert diagnostics == []
    assert urls(merged) == ["http://a", "http://b", "http://c"]
    assert merged.sources[SERVICE] == "container a, container b, container c"
    assert merged.keys[SERVICE] == f"traefik.{SERVICE}"
    assert parts == before


def test_tcp_replicas() -> None:
    ports = ("1", "2")
    parts = [container(p, {"tcp.services.s.loadbalancer.server.port": p}) for p in ports]
    merged, diagnostics = merge(*parts)
    balancer = merged.tcp.services["s"].load_balancer
    assert balancer is not None
    assert [server.port for server in balancer.servers] == ["1", "2"]
    assert diagnostics == []


def test_equal_definitions_are_no_conflict_in_whatever_spelling() -> None:
    parts = [
        container("a", {"http.middlewares.m.stripPrefix.Prefixes": "/a"}),
        container("b", {"http.middlewares.m.stripprefix.prefixes": "/a"}),
    ]
    assert merge(*parts)[1] == []


def test_mistakes_and_notes_stay_with_their_element() -> None:
    part = container("a", {"http.routers.r.rul": "x"})
    part.notes["http.routers.r"] = {"network": "front"}
    part.warnings["http.routers.r"] = ["odd"]
    merged, _ = merge(part)
    assert merged.errors == part.errors
    assert merged.notes == {"http.routers.r": {"network": "front"}}
    assert merged.warnings == {"http.routers.r": ["odd"]}


def test_nothing_merges_into_nothing() -> None:
    assert merge() == (DynamicConfiguration(), [])


# Contradictions


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
    merged, (diagnostic,) = merge(*parts)
    section, group, name, *_ = label.split(".")
    path = f"{section}.{group}.{name}"
    kept = getattr(getattr(merged, section), group)
    assert kept["x"] == getattr(getattr(parts[0], section), group)["x"]
    assert kept["x~new"] == getattr(getattr(parts[1], section), group)["x"]
    assert diagnostic.message == (
        f"{what} is defined differently by container old and container new; "
        "the older definition, of container old, keeps serving; "
        "use another name, or the same options everywhere"
    )
    assert (diagnostic.severity, diagnostic.source) == ("error", "container new")
    assert (diagnostic.key, diagnostic.element) == (f"traefik.{path}", path)
    assert merged.warnings == {path: [diagnostic.message]}
    assert merged.errors == {f"{path}~new": [diagnostic.message]}
    assert merged.sources == {path: "container old", f"{path}~new": "container new"}

    deleted, (diagnostic,) = merge(*parts, compat="traefik")
    assert getattr(getattr(deleted, section), group) == {}
    assert deleted.sources == {}
    assert "deleted from all" in diagnostic.message


def test_a_container_that_loses_a_router_shares_no_service() -> None:
    a, b = project("a", "Host(`a`)"), project("b", "Host(`b`)")
    merged, diagnostics = merge(a, b, places=["shop-a/web", "shop-b/web"])
    assert merged.http.routers["web"].rule == "Host(`a`)"
    assert urls(merged) == ["http://a"]
    assert merged.sources[SERVICE] == "container a"
    assert in_service(merged) == {ROUTER, SERVICE}
    (error,) = merged.errors[f"{SERVICE}~b"]
    assert error == (
        'service "web" of container a gets no server of container b: router "web" is defined'
        " differently by container a and container b; the older definition, of container a,"
        " keeps serving; use another name, or the same options everywhere"
    )
    assert [d.element for d in diagnostics] == [ROUTER, SERVICE]
    assert {d.source for d in diagnostics} == {"container b"}

    as_traefik, _ = merge(a, b, compat="traefik")
    assert (as_traefik.http.routers, urls(as_traefik)) == ({}, ["http://a", "http://b"])


def test_a_router_of_its_own_does_not_lead_to_the_containers_of_another() -> None:
    own = {"http.routers.own.rule": "Host(`own`)", "http.routers.own.service": "web@docker"}
    b = project("b", "Host(`b`)", **{k.replace(".", "__"): v for k, v in own.items()})
    merged, _ = merge(project("a", "Host(`a`)"), b)
    assert in_service(merged) == {ROUTER, SERVICE}
    (error,) = merged.errors["http.routers.own"]
    assert error.startswith('it refers to service "web": service "web" of container a gets no')


def test_what_rests_on_nothing_lost_keeps_serving() -> None:
    b = container(
        "b",
        {
            f"{ROUTER}.rule": "Host(`b`)",
            f"{ROUTER}.service": "own",
            "http.routers.own.rule": "Host(`own`)",
            "http.routers.own.service": "own",
            "http.services.own.loadbalancer.server.url": "http://b",
        },
    )
    merged, _ = merge(project("a", "Host(`a`)"), b)
    assert in_service(merged) == {ROUTER, SERVICE, "http.routers.own", "http.services.own"}
    assert urls(merged, "own") == ["http://b"]


def guarded(name: str, networks: str, reference: str = "guard") -> DynamicConfiguration:
    return container(
        name,
        {
            f"http.routers.{name}.rule": f"Host(`{name}`)",
            f"http.routers.{name}.middlewares": reference,
            f"{GUARD}.ipallowlist.sourcerange": networks,
        },
    )


@pytest.mark.parametrize("reference", ["guard", "guard@docker", "other@file, guard"])
def test_a_router_is_not_guarded_by_what_another_container_defined(reference: str) -> None:
    parts = [guarded("a", "0.0.0.0/0"), guarded("b", "10.0.0.0/8", reference)]
    merged, diagnostics = merge(*parts)
    assert in_service(merged) == {"http.routers.a", GUARD}
    (error,) = merged.errors["http.routers.b"]
    assert error.startswith('it refers to middleware "guard": middleware "guard" is defined diff')
    assert [d.element for d in diagnostics] == ["http.routers.b", GUARD]
    assert merged.warnings.keys() == {GUARD}
    # Names of other providers are other names.
    merged, _ = merge(guarded("a", "0.0.0.0/0"), guarded("b", "10.0.0.0/8", "guard@file"))
    assert "http.routers.b" not in merged.errors


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("http.middlewares.all.chain.middlewares", "first, guard"),
        ("http.middlewares.all.Chain.Middlewares[0]", "guard"),
    ],
)
def test_a_chain_that_is_alike_is_not_the_same_with_another_guard_in_it(
    label: str, value: str
) -> None:
    def chained(name: str, networks: str) -> DynamicConfiguration:
        labels = {
            label: value,
            f"{GUARD}.ipallowlist.sourcerange": networks,
            f"http.routers.{name}.rule": f"Host(`{name}`)",
            f"http.routers.{name}.middlewares": "all",
        }
        return container(name, labels)

    merged, _ = merge(chained("a", "0.0.0.0/0"), chained("b", "10.0.0.0/8"))
    assert in_service(merged) == {"http.routers.a", "http.middlewares.all", GUARD}
    assert 'it refers to middleware "all": it refers to' in merged.errors["http.routers.b"][0]


def test_a_guard_of_the_same_project() -> None:
    """What one container of a project has lost, the others do not get from elsewhere."""

    def defines(name: str, networks: str) -> DynamicConfiguration:
        return container(name, {f"{GUARD}.ipallowlist.sourcerange": networks})

    parts = [
        defines("a-guard", "0.0.0.0/0"),
        container("b", {"http.routers.b.rule": "Host(`b`)", "http.routers.b.middlewares": "guard"}),
        defines("b-guard", "10.0.0.0/8"),
    ]
    merged, _ = merge(*parts, places=["a/guard", "b/web", "b/guard"])
    assert in_service(merged) == {GUARD}
    assert "it refers to middleware" in merged.errors["http.routers.b"][0]
    # Whoever belongs to nobody has asked for whatever has that name.
    merged, _ = merge(*parts, places=["a/guard", "/b", "b/guard"])
    assert in_service(merged) == {GUARD, "http.routers.b"}
    # Replicas with other labels take nothing away from their project.
    merged, _ = merge(*parts, places=["b/guard", "b/web", "b/guard"])
    assert in_service(merged) == {GUARD, "http.routers.b"}


def test_error_pages_of_another_container() -> None:
    def paged(name: str, host: str) -> DynamicConfiguration:
        more = {"http__middlewares__pages__errors__service": "web"}
        return project(name, f"Host(`{host}`)", **more)

    merged, _ = merge(paged("a", "a"), paged("b", "b"))
    assert in_service(merged) == {ROUTER, SERVICE, "http.middlewares.pages"}
    merged, _ = merge(paged("a", "a"), paged("b", "a"))
    assert merged.errors == {}


def test_a_guarded_service_of_another_container() -> None:
    def served(name: str, networks: str) -> DynamicConfiguration:
        more = {
            f"http__routers__{name}__service": "web",
            "http__services__web__middlewares": "guard",
            "http__middlewares__guard__ipallowlist__sourcerange": networks,
        }
        return project(name, "Host(`a`)", **more)

    merged, _ = merge(served("a", "0.0.0.0/0"), served("b", "10.0.0.0/8"))
    assert urls(merged) == ["http://a"]
    assert "http.routers.b" in merged.errors
    assert "http.routers.a" not in merged.errors


# Replicas


def test_replicas_stay_together_while_their_labels_change() -> None:
    parts = [project("web-1", "Host(`old`)"), project("web-2", "Host(`new`)")]
    merged, (diagnostic,) = merge(*parts, places=["shop/web", "shop/web"])
    assert urls(merged) == ["http://web-1", "http://web-2"]
    assert merged.http.routers["web"].rule == "Host(`old`)"
    assert diagnostic.element == ROUTER


def test_replicas_lose_together_and_are_told_once() -> None:
    b = [project(f"b-{number}", "Host(`b`)") for number in range(3)]
    merged, diagnostics = merge(project("a", "Host(`a`)"), *b, places=["a/web", *["b/web"] * 3])
    assert urls(merged) == ["http://a"]
    assert [d.element for d in diagnostics] == [ROUTER, SERVICE]
    assert merged.errors.keys() == {f"{ROUTER}~b-0", f"{SERVICE}~b-0"}


def test_a_place_that_shares_everything_joins_and_one_that_does_not_stays_out() -> None:
    blue, green = project("blue", "Host(`a`)"), project("green", "Host(`a`)")
    merged, diagnostics = merge(blue, project("other", "Host(`b`)"), green)
    assert urls(merged) == ["http://blue", "http://green"]
    assert {d.source for d in diagnostics} == {"container other"}


# Mistakes


def test_a_definition_with_mistakes_does_not_stand_in_the_way_of_a_sound_one() -> None:
    mistaken = {"http__services__web__loadbalancer__passhostheadr": "x"}
    parts = [project("old", "Host(`a`)", **mistaken), project("new", "Host(`a`)")]
    for order in (parts, parts[::-1]):
        merged, _ = merge(*order)
        assert urls(merged) == ["http://new"]
        assert in_service(merged) == {ROUTER, SERVICE}
        assert merged.sources[ROUTER] == "container new"
        assert "passhostheadr" in merged.errors[f"{SERVICE}~old"][0]


def test_a_mistaken_guard_is_not_replaced_by_that_of_another_container() -> None:
    mistaken = guarded("a", "10.0.0.0/8")
    mistaken.errors[GUARD] = ["traefik.x: wrong"]
    merged, diagnostics = merge(mistaken, guarded("b", "0.0.0.0/0"))
    assert in_service(merged) == {"http.routers.b", GUARD}
    assert merged.sources[GUARD] == "container b"
    (error,) = merged.errors["http.routers.a"]
    assert error == (
        'it refers to middleware "guard": middleware "guard" of container a has mistakes;'
        " the definition of container b serves"
    )
    assert [d.element for d in diagnostics] == ["http.routers.a"], "the mistake itself is known"


def test_three_who_lose_in_turn() -> None:
    """The name that the second cannot serve, because of the first, goes to the third."""
    second = project("b", "Host(`b`)", http__routers__own__service="web")
    third = container(
        "c",
        {
            "http.routers.own.rule": "Host(`c`)",
            "http.routers.own.service": "c",
            "http.services.c.loadbalancer.server.url": "http://c",
        },
    )
    merged, _ = merge(project("a", "Host(`a`)"), second, third)
    assert merged.sources["http.routers.own"] == "container c"
    assert in_service(merged) == {ROUTER, SERVICE, "http.routers.own", "http.services.c"}
