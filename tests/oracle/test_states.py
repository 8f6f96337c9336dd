"""Middlewares that remember: what both routers do over a row of requests, and on one Redis."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.case import Case, Outcome, get
from tests.oracle.conftest import Subject
from tests.oracle.test_oracle import CASES
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.held_upstream import HeldUpstream, held_upstream
from tests.support.redis_server import redis_server, require_redis
from tests.support.traefik import traefik

PAUSE = 1.0
"""Seconds that a circuit stays open, and that it recovers."""
HOUR = {"average": 1, "period": "1h"}
BY_HOST = {"sourceCriterion": {"requestHost": True}}
FEW = {"amount": 2}
BREAKER = {
    "circuitBreaker": {
        "expression": "ResponseCodeRatio(500, 600, 0, 600) > 0.5",
        "checkPeriod": "1ms",
        "fallbackDuration": f"{PAUSE}s",
        "recoveryDuration": f"{PAUSE}s",
    }
}
MIDDLEWARES: dict[str, Any] = {
    "breaks": BREAKER,
    "breaks-again": BREAKER,
    "few": {"inFlightReq": FEW},
    "per-address": {"inFlightReq": {**FEW, "sourceCriterion": {"ipStrategy": {"depth": 0}}}},
    "outer": {"rateLimit": {**HOUR, "burst": 4}},
    "inner": {"rateLimit": {**HOUR, "burst": 2, **BY_HOST}},
}
CHAINS = {name: [name] for name in ("breaks", "breaks-again", "few", "per-address")}
CHAINS["several"] = ["outer", "inner"]


def dynamic(echo: int, held: int, **more: Any) -> dict[str, Any]:
    ports = {"echo": echo, "held": held}
    middlewares = MIDDLEWARES | more
    return {
        "http": {
            "routers": {
                name: {
                    "rule": f"HostRegexp(`^{name}[0-9]*[.]test$`)",
                    "middlewares": chain,
                    "service": "held" if name in ("few", "per-address") else "echo",
                }
                for name, chain in (CHAINS | {name: [name] for name in more}).items()
            },
            "middlewares": middlewares,
            "services": {
                name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}
                for name, port in ports.items()
            },
        }
    }


class Pair:
    """Traefik and edgerouter before the same servers."""

    def __init__(self, theirs: Subject, ours: Subject, held: HeldUpstream) -> None:
        self.theirs = theirs
        self.ours = ours
        self.held = held

    def both(self, question: Callable[[Subject], Any]) -> tuple[Any, Any]:
        return question(self.theirs), question(self.ours)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with ExitStack() as opened:
        yield started(opened, tmp_path_factory.mktemp("states"))


def started(opened: ExitStack, directory: Path, **middlewares: Any) -> Pair:
    echo = opened.enter_context(EchoServer(["echo"]))
    held = opened.enter_context(held_upstream())
    content = dynamic(echo.ports["echo"], held.port, **middlewares)
    flags = {"edgerouter.workers": "2"}
    theirs = opened.enter_context(traefik(directory / "traefik", ["web"], {}, content))
    ours = opened.enter_context(edgerouter(directory / "ours", ["web"], flags, content))
    return Pair(Subject(theirs, echo), Subject(ours, echo), held)


def asking(host: str, *fields: str) -> Case:
    return get(host, "/", f"{host}.test", *fields)


def statuses(subject: Subject, host: str, count: int) -> list[int]:
    return [subject.ask(asking(host))[0]["status"] for _ in range(count)]


# Circuit breakers.

FAILING = 'X-Echo: {"status": 500}'


def broken(subject: Subject, host: str) -> tuple[Outcome, float]:
    """Have the server fail until nobody asks it any more; return the answer then, and when."""
    for _ in range(100):
        outcome = subject.ask(asking(host, FAILING))
        if not outcome[0]["asked"]:
            return outcome, time.monotonic()
    raise AssertionError("the circuit does not open")


def test_a_circuit_breaker_recovers(pair: Pair) -> None:
    def life(subject: Subject) -> dict[str, Any]:
        answer, opened = broken(subject, "breaks")
        asked: list[tuple[float, int]] = []
        while not asked or asked[-1][0] < 4 * PAUSE:
            passed = subject.ask(asking("breaks"))[0]["asked"]
            asked.append((time.monotonic() - opened, passed))
        first = next(moment for moment, passed in asked if passed)
        recovering = [passed for moment, passed in asked if first < moment < first + PAUSE * 0.9]
        closed = [passed for moment, passed in asked if moment > first + PAUSE * 1.5]
        return {
            "answer": answer,
            "stays open": PAUSE * 0.9 < first < PAUSE * 2,
            "few pass at first": 0 < sum(recovering) < len(recovering) * 0.7,
            "all pass at last": bool(closed) and all(closed),
        }

    theirs, ours = pair.both(life)
    assert ours == theirs
    assert all(ours.values()), ours


def test_a_failure_while_it_recovers_opens_it_again(pair: Pair) -> None:
    def again(subject: Subject) -> list[bool]:
        found = []
        for _ in range(2):
            _, opened = broken(subject, "breaks-again")
            while not subject.ask(asking("breaks-again", FAILING))[0]["asked"]:
                pass
            found.append(PAUSE * 0.9 < time.monotonic() - opened < PAUSE * 2)
        return found

    assert pair.both(again) == ([True, True], [True, True])


# Requests under way.


@pytest.mark.parametrize("host", ["few", "per-address"])
def test_requests_under_way(pair: Pair, host: str) -> None:
    def crowd(subject: Subject) -> list[Any]:
        port = subject.process.ports["web"]
        with ExitStack() as opened:
            for _ in range(2):
                opened.enter_context(pair.held.asked(port, f"{host}.test"))
            # The source is the host, or the client whatever the host.
            other = f"{host}1"
            seen: list[Any] = [subject.ask(asking(host)) for _ in range(3)]
            if host == "few":
                opened.enter_context(pair.held.asked(port, f"{other}.test"))
            else:
                seen.append(subject.ask(asking(other)))
        with ExitStack() as opened:  # They have gone, so there is room.
            for _ in range(2):
                opened.enter_context(pair.held.asked(port, f"{host}.test"))
        return seen

    theirs, ours = pair.both(crowd)
    assert ours == theirs
    assert [outcome[0]["status"] for outcome in ours] == [429] * len(ours)


# Rates.


def test_what_one_of_several_limits_refuses(pair: Pair) -> None:
    def several(subject: Subject) -> list[int]:
        return statuses(subject, "several", 4) + statuses(subject, "several1", 3)

    theirs, ours = pair.both(several)
    assert theirs == [200, 200, 429, 429, 429, 429, 429], "Traefik has taken all four tokens"
    assert ours == [200, 200, 429, 429, 200, 200, 429]


def test_both_share_a_limit_on_one_redis(tmp_path: Path) -> None:
    require_redis()
    with redis_server(tmp_path) as redis, ExitStack() as opened:
        shared = {"rateLimit": {**HOUR, "burst": 9, "redis": {"endpoints": [redis.endpoint]}}}
        pair = started(opened, tmp_path, shared=shared)
        found = []
        for _ in range(8):
            found += [status for (status,) in pair.both(lambda each: statuses(each, "shared", 1))]
        assert found == [200] * 9 + [429] * 7
        assert redis.cli("keys", "*") == "rate:shared@file:127.0.0.1"
        theirs, ours = pair.both(lambda subject: subject.ask(asking("shared")))
        assert ours == theirs


def test_cases_count_what_servers_are_asked(theirs: Subject) -> None:
    case = next(case for case in CASES if case.name == "re-status: GET 0 fails with 503")
    assert theirs.ask(case)[0]["asked"] == 3
