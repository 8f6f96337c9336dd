"""Middlewares that limit requests: each has a host of its own name."""

from typing import Any

_ONCE = {"average": 1, "period": "1h"}


def _by(**criterion: Any) -> dict[str, Any]:
    return {"rateLimit": {**_ONCE, "sourceCriterion": criterion}}


def _flights_by(**criterion: Any) -> dict[str, Any]:
    return {"inFlightReq": {"amount": 1, "sourceCriterion": criterion}}


MIDDLEWARES: dict[str, dict[str, Any]] = {
    "rl": {"rateLimit": _ONCE},
    "rl-pause": {"rateLimit": {"average": 1, "burst": 4}},
    "rl-burst": {"rateLimit": {**_ONCE, "burst": 3}},
    "rl-burst-zero": {"rateLimit": {**_ONCE, "burst": 0}},
    "rl-burst-negative": {"rateLimit": {**_ONCE, "burst": -2}},
    "rl-none": {"rateLimit": {"burst": 1}},
    "rl-none-period": {"rateLimit": {"average": 0, "period": "1h"}},
    "rl-negative": {"rateLimit": {"average": -5}},
    "rl-period-negative": {"rateLimit": {"average": 1, "period": "-1s"}},
    "rl-period-zero": {"rateLimit": {"average": 1, "period": "0s"}},
    "rl-slow": {"rateLimit": {"average": 10, "period": "1h"}},
    "rl-host": _by(requestHost=True),
    "rl-header": _by(requestHeaderName="X-Key"),
    "rl-header-host": _by(requestHeaderName="Host"),
    "rl-depth": _by(ipStrategy={"depth": 1}),
    "rl-depth-two": _by(ipStrategy={"depth": 2}),
    "rl-excluded": _by(ipStrategy={"excludedIPs": ["10.0.0.0/8", "127.0.0.1"]}),
    "rl-subnet": _by(ipStrategy={"depth": 1, "ipv6Subnet": 64}),
    "rl-peer": _by(ipStrategy={"depth": 0}),
    "rl-empty": _by(requestHost=False),
    "rl-both": _by(requestHost=True, requestHeaderName="X-Key"),
    "rl-both-ip": _by(ipStrategy={"depth": 1}, requestHost=True),
    "rl-bad-subnet": _by(ipStrategy={"ipv6Subnet": 129}),
    "rl-zero-subnet": _by(ipStrategy={"depth": 1, "ipv6Subnet": 0}),
    "rl-bad-excluded": _by(ipStrategy={"excludedIPs": ["10.0.0.0/33"]}),
    "rl-down": {"rateLimit": {"average": 1, "redis": {"endpoints": ["127.0.0.1:1"]}}},
    "if": {"inFlightReq": {"amount": 1}},
    "if-zero": {"inFlightReq": {"amount": 0}},
    "if-none": {"inFlightReq": {"sourceCriterion": {"requestHost": True}}},
    "if-negative": {"inFlightReq": {"amount": -1}},
    "if-header": _flights_by(requestHeaderName="X-Key"),
    "if-depth": _flights_by(ipStrategy={"depth": 1}),
    "if-both": _flights_by(ipStrategy={"depth": 1}, requestHost=True),
}
"""Everything but ``redis``, which needs a server: tests/integration/test_limits.py."""


def middlewares() -> dict[str, Any]:
    return dict(MIDDLEWARES)


def routers() -> dict[str, dict[str, Any]]:
    """Return a router for each, and a second one that shares a middleware."""
    alone: dict[str, dict[str, Any]] = {
        name: {
            "rule": f"Host(`{name}.test`) || Host(`{name}-too.test`)",
            "middlewares": [name],
            "service": "api",
        }
        for name in MIDDLEWARES
    }
    shared = {"rule": "Host(`rl-shared.test`)", "middlewares": ["rl-burst"], "service": "api"}
    twice = {"rule": "Host(`rl-twice.test`)", "middlewares": ["rl", "rl-burst"], "service": "api"}
    return {**alone, "rl-shared": shared, "rl-twice": twice}
