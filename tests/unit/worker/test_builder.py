"""What the builder re-uses between snapshots, what it leaves out, and what it says."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http import lines
from edgerouter.http.errors import NoServer
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.ipc.patch import difference, patched
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.routing.route import Route
from edgerouter.services.internal import LifeCycle
from edgerouter.services.recursion import _fnv1
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched


class Plane:
    """A builder with one entry point, as a worker has it."""

    def __init__(self, *, as_traefik: bool = False) -> None:
        self.entrypoint = EntryPoint("web", {})
        self.unmatched = Unmatched(lambda: 0.0)
        self.builder = Builder(
            {"web": self.entrypoint},
            admin="/nowhere.sock",
            ping_status=503,
            life_cycle=LifeCycle(),
            unmatched=self.unmatched,
            as_traefik=as_traefik,
        )

    def apply(self, **snapshot: Any) -> dict[str, list[str]]:
        return self.builder.apply({"type": "snapshot", "version": 1, **snapshot})


@pytest.fixture
async def plane() -> Plane:
    return Plane()


def service(*urls: str, **options: Any) -> dict[str, Any]:
    return {"type": "loadBalancer", "options": {"servers": [{"url": u} for u in urls], **options}}


def router(host: str, service: str = "s@file", **more: Any) -> dict[str, Any]:
    return {
        "entryPoints": ["web"],
        "rule": f"Host(`{host}`)",
        "priority": 10,
        "service": service,
        **more,
    }


def request(host: str, path: str = "/") -> Request:
    made = Request()
    made.method, made.scheme, made.authority, made.host = "GET", "http", host, host
    made.path, made.query, made.headers = path, None, Headers()
    made.peer, made.exchange = Peer("127.0.0.1", 1, "web"), Exchange()
    return made


async def test_an_equal_snapshot_changes_nothing(plane: Plane) -> None:
    snapshot = {"routers": {"a@file": router("a")}, "services": {"s@file": service("http://b:1")}}
    assert plane.apply(**snapshot) == {}
    table = plane.entrypoint.table
    assert plane.apply(**snapshot) == {}
    assert plane.entrypoint.table is table


async def test_untouched_services_and_pools_stay(plane: Plane) -> None:
    services = {"s@file": service("http://b:1"), "t@file": service("http://c:1")}
    routers = {"a@file": router("a"), "t@file": router("t", "t@file")}
    plane.apply(routers=routers, services=services)
    before = plane.entrypoint.table.match(request("a"))
    services["t@file"] = service("http://c:1", "http://d:1")
    plane.apply(routers=routers, services=services)
    assert plane.entrypoint.table.match(request("a")) is before
    assert before is not None


async def test_pools_without_a_server_are_closed(plane: Plane) -> None:
    routers = {"a@file": router("a")}
    plane.apply(routers=routers, services={"s@file": service("http://b:1")})
    plane.apply(routers=routers, services={"s@file": service("http://c:1")})
    targets = [target.url for target in plane.builder.services.targets]
    assert targets == ["http://c:1"]


async def test_one_change_among_many_looks_at_what_it_touches(plane: Plane) -> None:
    """A service is built anew with all that stand above it, and nothing else is even looked at."""
    services: dict[str, Any] = {}
    for number in range(50):
        services[f"s{number}@file"] = service(f"http://s{number}:1")
        child = {"name": f"s{number}", "weight": 1}
        services[f"w{number}@file"] = {"type": "weighted", "options": {"services": [child]}}
        above = {"service": f"w{number}", "fallback": "s0"}
        services[f"f{number}@file"] = {"type": "failover", "options": above}
    plane.apply(services=services)
    before = dict(plane.builder.services._built)
    old = {"type": "snapshot", "version": 1, "services": services}
    new = {**old, "version": 2, "services": {**services, "s7@file": service("http://new:1")}}
    patch = difference(old, new)
    assert patch is not None
    assert plane.builder.apply(new, patch) == {}
    after = plane.builder.services._built
    changed = {name for name in after if after[name] is not before[name]}
    assert changed == {"s7@file", "w7@file", "f7@file"}
    names = dict.fromkeys(["s7@file"])
    plane.builder.services._add_parents(names, services, ())
    assert set(names) == changed
    assert plane.builder.services.targets.urls["http://new:1"] == 1
    assert "http://s7:1" not in plane.builder.services.targets.urls
    assert len(plane.builder.pools._pools) == 50


async def test_a_changed_transport_gets_pools_of_its_own(plane: Plane) -> None:
    snapshot = {
        "routers": {"a@file": router("a")},
        "services": {"s@file": service("http://b:1", serversTransport="t@file")},
    }
    pools = []
    for seconds in (5, 5, 1):
        timeouts = {"forwardingTimeouts": {"dialTimeout": seconds}}
        assert plane.apply(**snapshot, serversTransports={"t@file": timeouts}) == {}
        pools += [target.pool for target in plane.builder.services.targets]
    assert pools[0] is pools[1]
    assert pools[2] is not pools[1]
    assert list(plane.builder.pools._pools.values()) == [pools[2]]


async def test_what_cannot_be_built_is_left_out_and_named(plane: Plane) -> None:
    errors = plane.apply(
        routers={
            "bad@file": router("bad", "w@file"),
            "rule@file": {**router("x"), "rule": "Hots(`x`)"},
            "good@file": router("good"),
        },
        services={"s@file": service("http://b:1"), "w@file": {"type": "magic", "options": {}}},
    )
    assert "magic" in errors["services/w@file"][0]
    assert "w@file" in errors["routers/bad@file"][0]
    assert "Host" in errors["routers/rule@file"][0]
    assert plane.entrypoint.table.match(request("good")) is not None
    assert plane.entrypoint.table.match(request("bad")) is None


async def test_a_404_names_the_disabled_router(plane: Plane) -> None:
    plane.apply(
        disabled=[
            {"router": "a@docker", "entryPoints": ["web"], "rule": "Host(`a`)", "reason": "no port"}
        ]
    )
    assert plane.unmatched.explain(request("a")) == (
        "router a@docker matches, but is disabled: no port"
    )


async def test_a_404_names_the_router_that_wants_tls(plane: Plane) -> None:
    plane.apply(routers={"a@file": router("a", tls={})}, services={"s@file": service("http://b:1")})
    # An empty ``tls`` is as good as a full one: only its absence means plain HTTP.
    assert "only TLS" in plane.unmatched.explain(request("a"))


async def test_servers_lent_to_a_middleware_go_with_it(plane: Plane) -> None:
    def forward_auth(address: str) -> dict[str, Any]:
        return {"type": "forwardAuth", "options": {"address": address}}

    def lent() -> list[str]:
        return [target.url for targets in plane.builder._lent.values() for target in targets]

    both = {"a@file": forward_auth("http://a:1"), "b@file": forward_auth("http://b:1")}
    assert plane.apply(middlewares=both) == {}
    pool_a, _ = plane.builder.pools._pools.values()
    assert plane.apply(middlewares={"a@file": both["a@file"]}) == {}
    assert lent() == ["http://a:1"]
    assert list(plane.builder.pools._pools.values()) == [pool_a]
    assert plane.apply(middlewares={"a@file": forward_auth("http://c:1")}) == {}
    assert lent() == ["http://c:1"]
    assert plane.apply() == {}
    assert lent() == []
    assert list(plane.builder.pools._pools.values()) == []


async def test_options_that_a_worker_cannot_use_are_named(plane: Plane) -> None:
    errors = plane.apply(middlewares={"m@file": {"type": "addPrefix", "options": {"prefix": ""}}})
    assert "prefix" in errors["middlewares/m@file"][0]


async def test_a_router_with_the_default_rule_is_guarded_against_loops(plane: Plane) -> None:
    routers = {"a@docker": router("a", defaultRule=True), "b@docker": router("b")}
    plane.apply(routers=routers, services={"s@file": service()})
    for host, error in (("a", "leads back"), ("b", "")):
        again = request(host)
        again.target = "/"
        mark = f"{_fnv1(f'{host}@docker'.encode()):x}".encode()
        again.headers = Headers([(b"X-Traefik-Router", mark)])
        with contextlib.suppress(NoServer):
            assert (await plane.entrypoint.dispatch(again)).status == 400
        assert error in again.exchange.error
        assert bool(again.exchange.error) is bool(error)


async def test_a_patch_touches_only_what_it_concerns(plane: Plane) -> None:
    services = {"s@file": service("http://a"), "t@file": service("http://b")}
    old = snapshot(1, {"r": router("a"), "q": router("b", "t@file")}, services)
    plane.builder.apply(old)
    table = plane.entrypoint.table
    routes = {host: matched(plane, host) for host in ("a", "b")}
    handlers = {host: route.handler for host, route in routes.items()}
    new = snapshot(
        2,
        {"r": router("a"), "q": router("b", "t@file")},
        {"s@file": service("http://c"), "t@file": service("http://b")},
    )
    patch = difference(old, new)
    assert patch is not None
    assert plane.builder.apply(new, patch) == {}
    assert plane.entrypoint.table is table
    assert routes["a"].handler is plane.builder.services.get("s@file")
    assert routes["a"].handler is not handlers["a"]
    assert routes["b"].handler is handlers["b"]


async def test_what_could_not_be_built_is_tried_again_with_every_patch(plane: Plane) -> None:
    old = snapshot(1, {"r": router("a")}, {})
    assert plane.builder.apply(old).keys() == {"routers/r"}
    other = snapshot(2, {"r": router("a"), "q": router("b")}, {})
    patch = difference(old, other)
    assert patch is not None
    assert plane.builder.apply(other, patch).keys() == {"routers/r", "routers/q"}
    new = snapshot(3, {"r": router("a"), "q": router("b")}, {"s@file": service("http://a")})
    patch = difference(other, new)
    assert patch is not None
    assert plane.builder.apply(new, patch) == {}
    assert matched(plane, "a").name == "r"


HOSTS = st.sampled_from(["a", "b", "c"])
ROUTERS = st.dictionaries(
    st.sampled_from("rqp"),
    st.builds(
        router,
        HOSTS,
        st.sampled_from(["s@file", "t@file", "w@file", "missing@file"]),
        middlewares=st.sampled_from([[], ["m@file"]]),
        tls=st.sampled_from([None, {"options": "default"}, {"options": "strict"}]),
        priority=st.integers(1, 2),
    ),
)
WEIGHTED = {"type": "weighted", "options": {"services": [{"name": "s"}]}}
FAILOVER = {"type": "failover", "options": {"service": "w", "fallback": "s"}}
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "s@file": st.builds(
            lambda url, names: {**service(url), "middlewares": names},
            st.sampled_from(["http://a", "http://b"]),
            st.sampled_from([[], ["m@file"]]),
        ),
        "t@file": st.builds(service, st.just("http://a"), serversTransport=st.just("x")),
        "w@file": st.just(WEIGHTED),
        "f@file": st.just(FAILOVER),
    },
)
MIDDLEWARES = st.fixed_dictionaries(
    {},
    optional={
        "m@file": st.builds(
            lambda prefix: {"type": "addPrefix", "options": {"prefix": prefix}},
            st.sampled_from(["/a", "/b", ""]),
        )
    },
)
TRANSPORTS = st.fixed_dictionaries({}, optional={"x@file": st.just({"serverName": "x"})})
SNAPSHOTS = st.builds(
    lambda routers, services, middlewares, transports: {
        "routers": routers,
        "services": services,
        "middlewares": middlewares,
        "serversTransports": transports,
    },
    ROUTERS,
    SERVICES,
    MIDDLEWARES,
    TRANSPORTS,
)


@given(st.lists(SNAPSHOTS, min_size=2, max_size=5))
async def test_patches_lead_where_the_whole_snapshot_leads(parts: list[dict[str, Any]]) -> None:
    step, whole = Plane(), Plane()
    last: dict[str, Any] | None = None
    for version, part in enumerate(parts):
        new = {"type": "snapshot", "version": version, **part}
        patch = difference(last, new) if last is not None else None
        if last is not None and patch is None:
            continue
        errors = step.builder.apply(new if last is None else patched(last, patch or {}), patch)
        assert errors == whole.builder.apply(new)
        for host in ("a", "b", "c"):
            for one, other in zip(tables(step), tables(whole), strict=True):
                found, wanted = (table.match(request(host)) for table in (one, other))
                assert (found and found.name) == (wanted and wanted.name)
                assert (found is None) == (wanted is None)
            assert options(step, host) == options(whole, host)
        for name in part["routers"]:
            assert in_service(step, name)
        assert stale(step) == []
        for plane in (step, whole):
            assert counted(plane) == (set(plane.builder.pools._pools.values()),) * 2
        last = new


def stale(plane: Plane) -> list[str]:
    """Return the services made of others that are not made of the newest ones."""
    services, middlewares = plane.builder.services, plane.builder._middlewares
    found = []
    for name, built in services._built.items():
        for child in built.children:
            own = plane.builder._services[child].get("middlewares") or ()
            parts = [services.get(child), *(middlewares[each][1] for each in own)]
            if not all(any(part is each for each in built.parts) for part in parts):
                found.append(name)
    return found


def counted(plane: Plane) -> tuple[set[object], set[object]]:
    """Return the pools in use as they are counted, and as they are."""
    targets = plane.builder.services.targets
    built = plane.builder.services._built.values()
    return set(targets._pools), {target.pool for each in built for target in each.targets}


def in_service(plane: Plane, name: str) -> bool:
    """Tell whether the handler of a route without middlewares is the newest of its service."""
    built = plane.builder._routes.get(name)
    if built is None or built[0][0]["middlewares"]:
        return True
    return built[1].handler is plane.builder.services.get(built[0][0]["service"])


def tables(plane: Plane) -> tuple[Any, Any]:
    unmatched = plane.unmatched
    return unmatched.tables["web"], unmatched.secure["web"]


def options(plane: Plane, host: str) -> str:
    found: str = plane.entrypoint.tls.options_of(host)
    return found


def snapshot(version: int, routers: dict[str, Any], services: dict[str, Any]) -> dict[str, Any]:
    return {"type": "snapshot", "version": version, "routers": routers, "services": services}


def matched(plane: Plane, host: str) -> Route:
    found = plane.entrypoint.table.match(request(host))
    assert found is not None
    return found


async def test_what_nobody_foresaw_costs_one_middleware_and_its_routers(plane: Plane) -> None:
    errors = plane.apply(
        routers={
            "a@file": router("a", middlewares=["odd@file"]),
            "b@file": router("b", middlewares=["sound@file"]),
        },
        middlewares={
            "odd@file": {"type": "addPrefix", "options": {"prefix": 5}},
            "sound@file": {"type": "addPrefix", "options": {"prefix": "/x"}},
        },
        services={"s@file": service("http://b:1")},
    )
    assert errors == {
        "middlewares/odd@file": ["it cannot be built (AttributeError)"],
        "routers/a@file": ["its middleware odd@file could not be built"],
    }
    assert plane.entrypoint.table.match(request("b")) is not None


async def test_there_is_room_for_what_is_known_of_all_hosts(plane: Plane) -> None:
    hosts = [f"h{number}.test" for number in range(lines.FEWEST_HOSTS)]
    few = plane.entrypoint.hosts.most
    plane.apply(
        routers={f"{host}@file": router(host) for host in hosts},
        services={"s@file": service("http://192.0.2.1")},
    )
    assert plane.entrypoint.hosts.most >= 2 * len(hosts) > few
    plane.apply(routers={}, services={})
    assert plane.entrypoint.hosts.most == few


@pytest.mark.parametrize("as_traefik", [False, True])
async def test_state_ends_with_a_version_in_traefik(as_traefik: bool) -> None:
    plane = Plane(as_traefik=as_traefik)
    limit = {"type": "rateLimit", "options": {"average": 1, "period": 3600.0}}
    name = f"l{as_traefik}@file"
    snapshot = {
        "routers": {"r@file": router("a", "ping@internal", middlewares=[name])},
        "services": {"ping@internal": {"type": "internal", "options": {"name": "ping"}}},
        "middlewares": {name: limit},
    }
    statuses = []
    for version in (1, 1, 2, 2):
        new = {"type": "snapshot", "version": version, **snapshot}
        patch = None if version == 1 else {"type": "patch"}
        assert plane.builder.apply(new, patch) == {}
        sent = request("a")
        sent.target = "/"
        statuses.append((await plane.entrypoint.dispatch(sent)).status)
    assert statuses == ([200, 429, 200, 429] if as_traefik else [200, 429, 429, 429])
