"""Entry points."""

from math import inf
from typing import Any

import pytest

from edgerouter.http.message import Peer
from edgerouter.proxy.entrypoint import EntryPoint
from tests.unit.middleware.exchange import request


@pytest.mark.parametrize(
    ("timeouts", "ours", "as_in_traefik"),
    [
        ({}, 180, 180),
        ({"idleTimeout": 7}, 7, 7),
        ({"idleTimeout": 0}, inf, 60),
        ({"idleTimeout": 0, "readTimeout": 5}, inf, 5),
        ({"idleTimeout": 0, "readTimeout": 0}, inf, inf),
    ],
)
def test_no_idle_timeout(timeouts: dict[str, float], ours: float, as_in_traefik: float) -> None:
    options: dict[str, Any] = {"transport": {"respondingTimeouts": timeouts}}
    assert EntryPoint("web", options).idle_timeout == ours
    assert EntryPoint("web", options, as_traefik=True).idle_timeout == as_in_traefik


async def test_a_reason_is_one_line_whatever_names_say() -> None:
    reason = "router a\r\nX-Forged: yes\0\x7f\t\u2028\xe9: " + "x" * 5000
    point = EntryPoint("web", {}, on_unmatched=lambda _request: reason, shows_reason=True)
    response = await point.dispatch(request().evolve(peer=Peer("127.0.0.1", 1, "web")))
    value = response.headers.first(b"x-edgerouter-reason")
    assert value is not None
    assert value.startswith(rb"router a\x0d\x0aX-Forged: yes\x00\x7f\x09\u2028\xe9: xxx")
    assert len(value) < 1100
