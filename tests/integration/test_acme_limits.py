"""A CA with Let's Encrypt's limits never has to refuse an order, whatever restarts do."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgerouter.acme.answers import Answers
from edgerouter.acme.attempt import Attempt, Result, State
from edgerouter.acme.challenges import HTTPSolver
from edgerouter.acme.ledger import LETS_ENCRYPT, Limits
from edgerouter.acme.resolver import Options, Resolver
from edgerouter.config.static.acme import ACME
from tests.support.acme_stub import DAY, HOUR, StubCA, acme_stub

MINUTE = 60.0


class World:
    """A CA, a disk, and a time that only the test moves."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1_800_000_000.0
        self.ca = StubCA(lambda: self.now)
        self.url = ""

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def start(self, *names: str, limits: Limits | None = LETS_ENCRYPT) -> Result:
        """One start of the router: everything is made anew, only the disk is the same."""
        acme = ACME(ca_server=self.url, storage=str(self.directory / "acme.json"), key_type="EC256")
        solver = HTTPSolver(Answers(lambda wait: None))
        resolver = Resolver("le", acme, solver, {}, Options(limits=limits))
        resolver.storage.open()
        return Attempt(resolver, names, self.time, threading.Event()).run()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with acme_stub(made.ca) as made.url:
        yield made


def test_a_thousand_restarts_with_lost_dns(world: World) -> None:
    world.ca.succeeds = False
    for _ in range(1000):
        assert world.start("a.example.com").state is State.FAILING
        world.now += 20
    assert world.ca.refused == []
    assert 5 < len(world.ca.orders) < 30
    assert world.ca.accounts == 1

    world.ca.succeeds = True
    result = world.start("a.example.com")
    world.now = result.next_look.timestamp()
    assert world.start("a.example.com").state is State.VALID


def test_a_thousand_restarts_with_a_certificate(world: World) -> None:
    for _ in range(1000):
        assert world.start("a.example.com").state is State.VALID
        world.now += HOUR
    # 41 days: not yet two thirds of 90.
    assert len(world.ca.orders) == 1


def test_many_new_names_of_one_domain(world: World) -> None:
    states = [world.start(f"n{number}.example.com").state for number in range(60)]
    assert states.count(State.VALID) == 50
    result = world.start("n55.example.com")
    assert "50 new certificates for example.com in 7 days" in result.reason
    assert world.ca.refused == []
    world.now = result.next_look.timestamp()
    assert world.start("n55.example.com").state is State.VALID


def test_a_lost_certificate_is_not_ordered_again_and_again(world: World) -> None:
    for number in range(10):
        world.start("a.example.com")
        for file in (world.directory / "acme.json.d/le/certificates/a.example.com").glob("*.pem"):
            file.unlink()
        world.now += MINUTE * number
    assert len(world.ca.orders) == 5
    assert world.ca.refused == []


def test_the_ca_says_when_to_come_back(world: World) -> None:
    world.ca.succeeds = False
    world.ca.failures["a.example.com"] = [world.now] * 5
    world.ca.retry_after = 7200
    result = world.start("a.example.com", limits=None)
    assert "[rateLimited]" in result.reason
    assert result.next_look.timestamp() - world.now == 7200
    world.now += 7000
    world.start("a.example.com", limits=None)
    assert len(world.ca.refused) == 1

    world.now += 7 * DAY
    world.ca.failures["a.example.com"] = [world.now] * 5
    world.ca.retry_after = None
    result = world.start("a.example.com", limits=None)
    assert result.next_look.timestamp() - world.now == 3600
