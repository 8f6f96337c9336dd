"""What services keep between snapshots, and how they are put together."""

import asyncio
from typing import Any

import pytest

from edgerouter.http.errors import NoServer
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.proxy.upstream.pool import Pools
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences, Health, Server
from edgerouter.shared.memory import private
from edgerouter.worker.services import BuildError, Built, ServiceBuilder
from tests.unit.middleware.exchange import request


def no_internal(_name: str, kind: str) -> Built:
    raise BuildError(f"there is no {kind}")


class Plane:
    """A service builder as a worker has it."""

    def __init__(self) -> None:
        self.fences, self.health = Fences(), Health()
        self.builder = ServiceBuilder(
            Pools(), self.fences, self.health, no_internal, private().in_flight
        )

    def update(
        self, services: dict[str, Any], transports: dict[str, Any] | None = None
    ) -> dict[str, list[str]]:
        errors: dict[str, list[str]] = {}
        self.builder.update(services, transports or {}, {"mark@file": marked}, errors)
        return errors

    def server(self, url: str, name: str = "s@file") -> Server:
        return next(server for server in self.balancer(name).servers if server.url == url)

    def balancer(self, name: str) -> LoadBalancer:
        found = self.builder.get(name)
        assert isinstance(found, LoadBalancer)
        return found


def marked(handler: Handler) -> Handler:
    async def handle(asked: Request) -> Response:
        return Response(299, Headers())

    return handle


@pytest.fixture
async def plane() -> Plane:
    return Plane()


def balancer(*urls: str, **options: Any) -> dict[str, Any]:
    servers = [{"url": url, "weight": 1} for url in urls]
    return {"type": "loadBalancer", "options": {"servers": servers, **options}}


def weighted(*names: str, **options: Any) -> dict[str, Any]:
    services = [{"name": name, "weight": 1} for name in names]
    return {"type": "weighted", "options": {"services": services, **options}}


async def test_a_changed_service_keeps_what_it_knows_of_servers(plane: Plane) -> None:
    plane.update({"s@file": balancer("http://a", "http://b")})
    old, state = plane.balancer("s@file"), plane.server("http://b").state
    plane.update({"s@file": balancer("http://b", "http://c")})
    assert plane.balancer("s@file") is not old
    assert plane.server("http://b").state is state
    assert plane.server("http://c").state not in [server.state for server in old.servers]


async def test_services_do_not_all_begin_with_their_first_server(plane: Plane) -> None:
    urls = [f"http://s{number}" for number in range(10)]
    first = set()
    for number in range(50):
        plane.update({"s@file": balancer(*urls, maxWaiting=number)})
        first.add(plane.balancer("s@file")._pick(request()).url)
    assert len(first) > 3


async def test_another_transport_touches_nothing_else(plane: Plane) -> None:
    services = {
        "s@file": balancer("http://a", serversTransport="t"),
        "u@file": balancer("http://b"),
    }
    plane.update(services, {"t@file": {"maxIdleConnsPerHost": 1}})
    s, u = plane.balancer("s@file"), plane.balancer("u@file")
    plane.update(services, {"t@file": {"maxIdleConnsPerHost": 2}})
    assert plane.balancer("s@file") is not s
    assert plane.balancer("u@file") is u


async def test_parents_are_made_anew_with_their_children_only(plane: Plane) -> None:
    services = {
        "a@file": balancer("http://a"),
        "b@file": balancer("http://b"),
        "one@file": weighted("a"),
        "two@file": weighted("b@file", "one"),
    }
    assert plane.update(services) == {}
    one, two = plane.builder.get("one@file"), plane.builder.get("two@file")
    assert plane.update(services) == {}
    assert (plane.builder.get("one@file"), plane.builder.get("two@file")) == (one, two)
    services["b@file"] = balancer("http://c")
    plane.update(services)
    assert plane.builder.get("one@file") is one
    assert plane.builder.get("two@file") is not two


async def test_middlewares_of_a_child_are_in_front_of_it(plane: Plane) -> None:
    child = {**balancer("http://a"), "middlewares": ["mark@file"]}
    assert plane.update({"a@file": child, "w@file": weighted("a")}) == {}
    handler = plane.builder.get("w@file")
    assert handler is not None
    assert (await handler(request())).status == 299


async def test_what_a_service_lacks_is_named(plane: Plane) -> None:
    errors = plane.update(
        {
            "bad@file": {"type": "magic"},
            "w@file": weighted("bad"),
            "v@file": weighted("none"),
            "m@file": weighted("odd"),
            "odd@file": {**balancer("http://a"), "middlewares": ["none@file"]},
            "t@file": balancer("http://a", serversTransport="none"),
            "h2@file": balancer("h2c://a"),
        }
    )
    assert set(errors) == {f"services/{name}@file" for name in ("bad", "w", "v", "m", "t", "h2")}
    assert errors["services/w@file"] == ["its service bad@file could not be built"]
    assert errors["services/v@file"] == ["its service none@file does not exist"]
    assert "none@file" in errors["services/m@file"][0]


async def test_servers_that_are_down_by_configuration(plane: Plane) -> None:
    definition = balancer("http://a", "http://b")
    definition["options"]["servers"][0]["down"] = True
    plane.update({"s@file": definition})
    assert [server.url for server in plane.balancer("s@file").servers] == ["http://b"]


async def test_pools_of_untouched_services_stay_in_use(plane: Plane) -> None:
    services = {"s@file": balancer("http://a", strategy="p2c"), "u@file": balancer("http://b")}
    plane.update(services)
    before = {target.url: target for target in plane.builder.targets}
    services["u@file"] = balancer("http://c")
    plane.update(services)
    after = {target.url: target for target in plane.builder.targets}
    assert set(after) == {"http://a", "http://c"}
    assert after["http://a"] is before["http://a"]


async def test_fences_and_health_reach_services_made_later(plane: Plane) -> None:
    plane.fences.urls = frozenset(["http://a"])
    plane.health.replace({"s@file": frozenset(["http://b"])})
    plane.update({"s@file": balancer("http://a", "http://b")})
    with pytest.raises(NoServer):
        await plane.balancer("s@file")(request())


async def asked(plane: Plane, name: str = "s@file") -> set[str]:
    """Return which servers a service would ask."""
    service = plane.balancer(name)
    return {service._pick(request()).url for _ in range(20)}


async def test_unproven_servers_are_asked_when_there_is_no_other(plane: Plane) -> None:
    both = frozenset(["http://a", "http://b"])
    plane.health.replace({}, {"s@file": both})
    plane.update({"s@file": balancer(*sorted(both))})
    assert await asked(plane) == both, "nothing is known at the start"
    plane.health.replace({}, {"s@file": frozenset(["http://b"])})
    assert await asked(plane) == {"http://a"}
    plane.fences.urls = frozenset(["http://a"])
    assert await asked(plane) == {"http://b"}
    plane.fences.urls = frozenset()
    plane.health.replace({"s@file": frozenset(["http://a"])}, {"s@file": frozenset(["http://b"])})
    assert await asked(plane) == {"http://b"}
    plane.health.replace({}, {})
    assert await asked(plane) == both


async def test_a_proven_backup_comes_before_an_unproven_server(plane: Plane) -> None:
    definition = balancer("http://a", "http://b")
    definition["options"]["servers"][1]["backup"] = True
    plane.health.replace({}, {"s@file": frozenset(["http://a"])})
    plane.update({"s@file": definition})
    assert await asked(plane) == {"http://b"}


async def test_a_slow_start_begins_with_the_first_probe(plane: Plane) -> None:
    plane.update({"s@file": balancer("http://a", slowStart=10.0)})
    plane.health.replace({}, {"s@file": frozenset(["http://b"])})
    plane.update({"s@file": balancer("http://a", "http://b", slowStart=10.0)})
    late = plane.server("http://b")
    assert late.state.usable_since is None
    plane.health.replace({}, {})
    assert late.state.usable_since


async def test_a_late_server_starts_slowly(plane: Plane) -> None:
    plane.update({"s@file": balancer("http://a", slowStart=10.0)})
    plane.update({"s@file": balancer("http://a", "http://b", slowStart=10.0)})
    old, late = plane.server("http://a"), plane.server("http://b")
    assert old.state.usable_since == 0.0
    assert late.state.usable_since


async def test_who_stands_in_line_stays_over_a_change(plane: Plane) -> None:
    plane.update({"s@file": balancer("http://a", maxConnections=1)})
    old = plane.balancer("s@file")
    plane.update({"s@file": balancer("http://a", maxConnections=2)})
    new = plane.balancer("s@file")
    assert new.queue is old.queue
    assert new.queue is not None
    assert new.queue.slots.limit == 2
    plane.update({"s@file": balancer("http://a")})
    assert plane.balancer("s@file").queue is None


async def test_who_is_held_goes_to_the_service_that_holds_nothing(plane: Plane) -> None:
    """The new load balancer has an answer at once, be it that there is no server."""
    plane.update({"s@file": balancer(tryDuration=60.0)})
    held = asyncio.ensure_future(plane.balancer("s@file")(request()))
    await asyncio.sleep(0)
    assert plane.builder._hall.waiting == 1
    plane.update({"s@file": balancer()})
    with pytest.raises(NoServer):
        await asyncio.wait_for(held, 5)
    plane.update({"s@file": balancer()})
    assert plane.builder._hall.waiting == 0


async def test_who_is_held_by_a_removed_service_goes_to_it_when_it_is_back(plane: Plane) -> None:
    plane.update({"s@file": balancer(tryDuration=60.0)})
    held = asyncio.ensure_future(plane.balancer("s@file")(request()))
    await asyncio.sleep(0)
    plane.update({})
    plane.update({"s@file": balancer(tryDuration=60.0, maxWaiting=1)})
    room = plane.builder._hall.room("s@file", 60.0, 1)
    assert room.current is plane.balancer("s@file")
    assert room.waiting == 1
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    plane.update({})
    assert plane.builder._hall._rooms == {}


async def test_a_thousand_reloads_leave_nothing(plane: Plane) -> None:
    for number in range(1000):
        plane.update({"s@file": balancer(f"http://10.0.0.{number % 250}", tryDuration=1.0)})
    assert len(list(plane.builder.targets)) == 1
    plane.update({})
    assert plane.builder._hall._rooms == {}
