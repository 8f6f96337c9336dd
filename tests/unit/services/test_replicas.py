"""Sticky cookies that name replicas."""

from collections.abc import Mapping
from typing import Any

import pytest

import edgerouter.services.replicas
from edgerouter.http.message import Response
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.server import Fences, Server
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream

Ask = tuple[str, str]


def service(
    former: LoadBalancer | None, fences: Fences, replicas: Mapping[str, str], **cookie: Any
) -> LoadBalancer:
    """A service with the servers ``replicas`` (host to replica), after its ``former`` self."""
    options = {
        "sticky": {"cookie": {"name": "s", "replica": True, **cookie}},
        "servers": [{"url": f"http://{h}", "replica": name} for h, name in replicas.items()],
    }
    servers = [Server(f"http://{host}", 1, Upstream(host)) for host in replicas]
    made = LoadBalancer("app@docker", servers, fences, options)
    if former is not None:
        made.replicas.inherit(former.replicas)
    return made


async def ask(service: LoadBalancer, cookie: str = "") -> tuple[str, str]:
    """Return which host has answered, and the new cookie, if any."""
    fields = [(b"Cookie", cookie.encode())] if cookie else []
    response: Response = await service(request(headers=fields))
    new = (response.headers.first(b"set-cookie") or b"").decode().partition(";")[0]
    return (response.headers.first(b"x-name") or b"").decode(), new


async def test_a_replica_with_another_address_is_the_same() -> None:
    fences = Fences()
    old = service(None, fences, {"a": "1", "b": "2"})
    host, cookie = await ask(old)
    number = {"a": "1", "b": "2"}[host]
    new = service(old, fences, {"c": "1", "d": "2"})
    for _ in range(4):
        assert await ask(new, cookie) == ({"1": "c", "2": "d"}[number], "")


async def test_clients_keep_the_cookie_of_a_replica_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fences = Fences()
    old = service(None, fences, {"a": "1", "b": "2"})
    cookies = dict([await ask(old), await ask(old)])
    fences.urls = frozenset(["http://a"])
    assert await ask(old, cookies["a"]) == ("b", "")
    alone = service(old, fences, {"b": "2"})
    assert await ask(alone, cookies["a"]) == ("b", "")
    fences.urls = frozenset()
    both = service(alone, fences, {"b": "2", "c": "1"})
    assert await ask(both, cookies["a"]) == ("c", "")
    fences.urls = frozenset(["http://c"])
    monkeypatch.setattr(edgerouter.services.replicas, "AWAY", 0.0)
    assert await ask(both, cookies["a"]) == ("b", cookies["b"])


async def test_a_value_that_nobody_gave_is_replaced() -> None:
    only = service(None, Fences(), {"a": "1"})
    host, new = await ask(only, "s=invented")
    assert (host, new[:2]) == ("a", "s=")


async def test_without_the_option_the_value_is_traefiks() -> None:
    plain = service(None, Fences(), {"a": "1"}, replica=None)
    same = service(None, Fences(), {"a": "2"}, replica=None)
    assert await ask(plain) == await ask(same)
