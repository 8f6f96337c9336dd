"""Services made of services; against Traefik they are compared in tests/oracle."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import (
    ClientDisconnected,
    ConnectFailed,
    ExchangeError,
    NoServer,
    ResponseTimeout,
    UpstreamReset,
)
from edgerouter.http.message import Request, Response
from edgerouter.services.child import Child
from edgerouter.services.failover import Failover, TooLongToRepeat
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.mirroring import MAX_COPIES, Mirror, Mirroring
from edgerouter.services.server import Fences, Server
from edgerouter.services.sticky import StickyCookie
from edgerouter.services.weighted import HighestRandomWeight, Weighted
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Streamed, Upstream, name


def child(upstream: Upstream, weight: int = 1) -> Child:
    return Child(upstream.name, upstream, upstream, weight)


def post(data: bytes) -> Request:
    made = request(method="POST")
    made.body = FixedBody(data)
    return made


async def settled() -> None:
    """Let the mirrors finish."""
    for _ in range(10):
        await asyncio.sleep(0)


# weighted and highestRandomWeight


async def test_shares() -> None:
    one, other, never = Upstream("a"), Upstream("b"), Upstream("c")
    service = Weighted("w@file", [child(one, 3), child(other, 1), child(never, 0)])
    counts = Counter([name(await service(request())) for _ in range(40)])
    assert counts == {"a": 30, "b": 10}


@pytest.mark.parametrize("kind", [Weighted, HighestRandomWeight])
async def test_health_counts_only_when_asked_for(kind: Any) -> None:
    one, other = Upstream("a"), Upstream("b")
    children = [child(one), child(other)]
    one.up = False
    minding = kind("w@file", children, minds_health=True)
    assert {name(await minding(request())) for _ in range(10)} == {"b"}
    assert minding.is_up()
    other.up = False
    assert not minding.is_up()
    with pytest.raises(NoServer):
        await minding(request())
    careless = kind("w@file", children)
    assert careless.is_up()
    assert (await careless(request())).status == 200


async def test_what_does_not_know_its_health_is_up() -> None:
    upstream = Upstream("a")

    async def handler(asked: Request) -> Any:
        return await upstream(asked)

    assert Child("x", handler, handler).is_up()


async def test_why_no_service_can_be_asked() -> None:
    down = Upstream("a")
    down.up = False
    service = Weighted("w@file", [child(down), child(Upstream("b"), 0)], minds_health=True)
    with pytest.raises(NoServer, match=r"w@file has .* asked: 1 down, 1 without weight$"):
        await service(request())
    with pytest.raises(NoServer, match=r": it is empty$"):
        await Weighted("w@file", [])(request())


class Setting(Upstream):
    """Sets a cookie of its own."""

    async def __call__(self, asked: Request) -> Response:
        response = await super().__call__(asked)
        response.headers = response.headers.extended([(b"Set-Cookie", b"own=1")])
        return response


def sticky_balancer(service: str, **upstreams: Upstream) -> LoadBalancer:
    made = [Server(f"http://{host}", 1, upstream) for host, upstream in upstreams.items()]
    options = {"sticky": {"cookie": {"name": "server"}}}
    return LoadBalancer(service, made, Fences(), options)


async def test_each_level_has_a_cookie_and_clients_stay_on_each() -> None:
    one = sticky_balancer("one@file", a=Setting("a"), b=Setting("b"))
    two = sticky_balancer("two@file", c=Setting("c"), d=Setting("d"))
    lower = [Child("one", one, one, 1), Child("two", two, two, 1)]
    middle = Weighted("m@file", lower, sticky=StickyCookie("m@file", {"name": "middle"}))
    top = Weighted(
        "t@file", [Child("m", middle, middle, 1)], sticky=StickyCookie("t@file", {"name": "top"})
    )
    for _ in range(4):
        first = await top(request())
        fields = first.headers.all(b"set-cookie")
        assert [field.partition(b"=")[0] for field in fields] == [
            b"own",
            b"server",
            b"middle",
            b"top",
        ]
        cookies = b"; ".join(field.partition(b";")[0] for field in fields)
        for _ in range(5):
            again = await top(request(headers=[(b"Cookie", cookies)]))
            assert name(again) == name(first)
            assert again.headers.all(b"set-cookie") == [b"own=1"]


# failover


async def test_the_fallback_stands_in_while_the_first_is_down() -> None:
    main, spare = Upstream("main"), Upstream("spare")
    service = Failover("f@file", child(main), child(spare), {})
    assert name(await service(request())) == "main"
    main.up = False
    assert name(await service(request())) == "spare"
    spare.up = False
    assert name(await service(request())) == "spare", (
        "without healthCheck the fallback counts as up"
    )
    careful = Failover("f@file", child(main), child(spare), {"healthCheck": {}})
    assert not careful.is_up()
    with pytest.raises(NoServer):
        await careful(request())


@pytest.mark.parametrize("error", [ConnectFailed("refused"), NoServer("the last one has left")])
async def test_the_fallback_answers_when_nobody_turns_out_to_be_there(
    error: ExchangeError,
) -> None:
    """The health of a service is known a moment later than its end."""
    main, spare = Upstream("main", error=error), Upstream("spare")
    service = Failover("f@file", child(main), child(spare), {"healthCheck": {}})
    assert name(await service(request())) == "spare"
    with pytest.raises(type(error)):
        await service(post(b"perhaps read by a middleware"))
    spare.up = False
    with pytest.raises(type(error)):
        await service(request())
    assert spare.asked == 1


@pytest.mark.parametrize("error", [UpstreamReset("sent"), ResponseTimeout("slow")])
async def test_what_may_have_been_answered_is_not_asked_of_the_fallback(
    error: ExchangeError,
) -> None:
    main, spare = Upstream("main", error=error), Upstream("spare")
    service = Failover("f@file", child(main), child(spare), {})
    with pytest.raises(type(error)):
        await service(request())
    assert spare.asked == 0


async def test_failover_on_status_sends_the_body_again() -> None:
    main, spare = Upstream("main", 503), Upstream("spare")
    options = {"errors": {"status": ["500-503"], "maxRequestBodyBytes": 4}}
    service = Failover("f@file", child(main), child(spare), options)
    assert name(await service(post(b"four"))) == "spare"
    assert main.bodies == spare.bodies == [b"four"]
    with pytest.raises(TooLongToRepeat):
        await service(post(b"fives"))
    main.status = 504
    assert (await service(request())).status == 504


async def test_failover_on_status_counts_our_own_errors() -> None:
    main, spare = Upstream("main", error=ConnectFailed("x")), Upstream("spare")
    service = Failover("f@file", child(main), child(spare), {"errors": {"status": ["502"]}})
    assert name(await service(request())) == "spare"
    main.error = ClientDisconnected("gone")
    with pytest.raises(ClientDisconnected):
        await service(request())


# mirroring


def mirroring(main: Upstream, mirror: Upstream, percent: int, **options: Any) -> Mirroring:
    return Mirroring("m@file", child(main), [Mirror(child(mirror), percent)], options)


@pytest.mark.parametrize(("percent", "copies"), [(0, 0), (10, 4), (50, 20), (100, 40)])
async def test_a_share_is_mirrored(percent: int, copies: int) -> None:
    main, mirror = Upstream("main"), Upstream("mirror")
    service = mirroring(main, mirror, percent)
    for _ in range(40):
        assert name(await service(request())) == "main"
    await settled()
    assert (main.asked, mirror.asked) == (40, copies)


async def test_bodies_are_copied() -> None:
    main, mirror = Upstream("main"), Upstream("mirror")
    asked = request(method="POST")
    asked.body = Streamed(b"ab", b"cd")
    await mirroring(main, mirror, 100)(asked)
    await settled()
    assert main.bodies == mirror.bodies == [b"abcd"]


async def test_long_bodies_go_to_the_service_alone() -> None:
    main, mirror = Upstream("main"), Upstream("mirror")
    service = mirroring(main, mirror, 100, maxBodySize=3)
    asked = request(method="POST")
    asked.body = Streamed(b"ab", b"cd", b"ef")
    await service(asked)
    await service(post(b"abcdef"))
    await settled()
    assert main.bodies == [b"abcdef"] * 2
    assert mirror.asked == 0


async def test_bodies_can_be_left_out() -> None:
    main, mirror = Upstream("main"), Upstream("mirror")
    await mirroring(main, mirror, 100, mirrorBody=False)(post(b"abc"))
    await settled()
    assert (main.bodies, mirror.bodies) == ([b"abc"], [b""])


async def test_a_mirror_cannot_hurt() -> None:
    main, mirror = Upstream("main"), Upstream("mirror", error=ConnectFailed("x"))
    asked = request()
    assert name(await mirroring(main, mirror, 100)(asked)) == "main"
    await settled()
    assert asked.exchange.error == ""


async def test_copies_are_bounded() -> None:
    release = asyncio.Event()

    class Stuck(Upstream):
        async def __call__(self, asked: Request) -> Any:
            response = await super().__call__(asked)
            await release.wait()
            return response

    main, mirror = Upstream("main"), Stuck("mirror")
    service = mirroring(main, mirror, 100)
    for _ in range(MAX_COPIES + 5):
        await service(request())
    await settled()
    assert (main.asked, mirror.asked) == (MAX_COPIES + 5, MAX_COPIES)
    release.set()
    await settled()
