"""Servers here are functions: what they answer or raise is what forwarding would."""

from collections.abc import Sequence
from typing import Any

import pytest

from edgerouter.http.errors import (
    ConnectFailed,
    ExchangeError,
    NoServer,
    ResponseTimeout,
    StaleConnection,
    UpstreamReset,
)
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences, Health, Server
from edgerouter.services.sticky import old_values, server_value
from tests.unit.middleware.exchange import request


class Upstream:
    """Answers 200, or raises."""

    def __init__(self, error: ExchangeError | None = None) -> None:
        self.error = error
        self.asked = 0

    async def __call__(self, request: Request) -> Response:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Response(200, Headers())


def balancer(
    upstreams: Sequence[Upstream],
    *,
    weights: Sequence[int] = (),
    fences: Fences | None = None,
    **options: Any,
) -> LoadBalancer:
    servers = [
        Server(f"http://s{number}", weights[number] if weights else 1, upstream)
        for number, upstream in enumerate(upstreams)
    ]
    return LoadBalancer("svc@file", servers, fences or Fences(), options)


REFUSED = ConnectFailed("refused")


async def test_servers_take_turns() -> None:
    upstreams = [Upstream(), Upstream()]
    service = balancer(upstreams)
    made = request()
    for _ in range(6):
        await service(made)
    assert [upstream.asked for upstream in upstreams] == [3, 3]
    assert (made.exchange.service, made.exchange.server) == ("svc@file", "http://s1")
    assert made.exchange.origin_status == 200
    assert made.exchange.origin_length == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connection_costs_no_request(method: str) -> None:
    upstreams = [Upstream(REFUSED), Upstream(REFUSED), Upstream()]
    made = request(method=method)
    assert (await balancer(upstreams)(made)).status == 200
    assert [upstream.asked for upstream in upstreams] == [1, 1, 1]
    assert (made.exchange.retries, made.exchange.server) == (2, "http://s2")


async def test_when_all_refuse_each_was_asked_once() -> None:
    upstreams = [Upstream(REFUSED), Upstream(REFUSED)]
    with pytest.raises(ConnectFailed):
        await balancer(upstreams)(request())
    assert [upstream.asked for upstream in upstreams] == [1, 1]


@pytest.mark.parametrize("error", [UpstreamReset("x"), StaleConnection("x"), ResponseTimeout("x")])
async def test_what_may_have_been_sent_is_not_sent_again(error: ExchangeError) -> None:
    upstreams = [Upstream(error), Upstream()]
    with pytest.raises(type(error)):
        await balancer(upstreams)(request())
    assert upstreams[1].asked == 0


async def test_no_server() -> None:
    with pytest.raises(NoServer, match=r"svc@file has no server that .*: it has no servers"):
        await balancer([])(request())
    with pytest.raises(NoServer, match=r"it has no servers \(container a: it is paused\)$"):
        await balancer([], absent="container a: it is paused")(request())
    taken_out = {"servers": [{"url": "http://s0", "down": True}]}
    with pytest.raises(NoServer, match=r": 1 down \(configuration\)$"):
        await balancer([], **taken_out)(request())


async def test_why_there_is_no_server() -> None:
    fences, health = Fences(), Health()
    servers = [Server(f"http://s{n}", 0 if n == 3 else 1, Upstream()) for n in range(4)]
    service = LoadBalancer("svc@file", servers, fences, {}, health)
    fences.urls = frozenset(["http://s0"])
    health.replace({"svc@file": frozenset(["http://s1"])})
    servers[2].state.out = True
    service.refresh()
    reasons = "1 going away, 1 down (health check), 1 at rest after failures, 1 without weight"
    with pytest.raises(NoServer) as raised:
        await service(request())
    assert str(raised.value).endswith(f": {reasons}")
    assert raised.value.retry_after == 5


async def test_fenced_servers_and_weight_zero_get_nothing() -> None:
    upstreams = [Upstream(), Upstream(), Upstream()]
    fences = Fences()
    service = balancer(upstreams, weights=(1, 0, 1), fences=fences)
    fences.urls = frozenset(["http://s0"])
    for _ in range(3):
        await service(request())
    assert [upstream.asked for upstream in upstreams] == [0, 0, 3]
    fences.urls = frozenset(["http://s0", "http://s2"])
    with pytest.raises(NoServer):
        await service(request())
    fences.urls = frozenset()
    for _ in range(2):
        await service(request())
    assert upstreams[0].asked == 1


STICKY = {"sticky": {"cookie": {"name": "s"}}}


def with_cookie(value: bytes) -> Request:
    return request(headers=[(b"Cookie", b"s=" + value)])


async def test_a_new_client_gets_a_cookie_and_stays() -> None:
    upstreams = [Upstream(), Upstream()]
    service = balancer(upstreams, **STICKY)
    first = await service(request())
    value = server_value("http://s0")
    assert first.headers.all(b"set-cookie") == [b"s=" + value + b"; Path=/"]
    for _ in range(3):
        assert not (await service(with_cookie(value))).headers.has(b"set-cookie")
    assert [upstream.asked for upstream in upstreams] == [4, 0]


@pytest.mark.parametrize("value", old_values("http://s1"))
async def test_a_cookie_of_old_is_taken_and_replaced(value: bytes) -> None:
    upstreams = [Upstream(), Upstream()]
    answer = await balancer(upstreams, **STICKY)(with_cookie(value))
    assert upstreams[1].asked == 1
    assert answer.headers.all(b"set-cookie") == [b"s=" + server_value("http://s1") + b"; Path=/"]


@pytest.mark.parametrize("value", [b"", b"nonsense", server_value("http://gone")])
async def test_an_unknown_cookie_is_replaced(value: bytes) -> None:
    answer = await balancer([Upstream()], **STICKY)(with_cookie(value))
    assert answer.headers.has(b"set-cookie")


@pytest.mark.parametrize("value", [b"a\rX: y", b"a\nb", b"\x00", b"%0d%0aX: y", b"\xff\xfe"])
async def test_what_a_client_sends_is_never_sent_back(value: bytes) -> None:
    asked = with_cookie(value)
    answer = await balancer([Upstream()], **STICKY)(asked)
    fresh = b"s=" + server_value("http://s0") + b"; Path=/"
    assert answer.headers.all(b"set-cookie") == [fresh]
    assert list(answer.headers) == [(b"Set-Cookie", fresh)]
    logged = [getattr(asked.exchange, name) for name in dir(asked.exchange) if name[0] != "_"]
    assert value.decode("latin-1") not in str(logged)


async def test_a_client_moves_when_its_server_refuses_or_leaves() -> None:
    upstreams = [Upstream(REFUSED), Upstream()]
    fences = Fences()
    service = balancer(upstreams, fences=fences, **STICKY)
    moved = [b"s=" + server_value("http://s1") + b"; Path=/"]
    answer = await service(with_cookie(server_value("http://s0")))
    assert answer.headers.all(b"set-cookie") == moved
    fences.urls = frozenset(["http://s0"])
    answer = await service(with_cookie(server_value("http://s0")))
    assert answer.headers.all(b"set-cookie") == moved
    assert upstreams[0].asked == 1
