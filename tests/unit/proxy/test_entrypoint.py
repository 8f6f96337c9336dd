from math import inf
from typing import Any

import pytest

from edgerouter.proxy.entrypoint import EntryPoint


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
