"""A CA with Let's Encrypt's limits never has to refuse an order, whatever restarts do."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgerouter.acme.attempt import State
from edgerouter.acme.errors import Interrupted
from edgerouter.acme.order import Order
from tests.support.acme_bench import World
from tests.support.acme_stub import DAY, HOUR, acme_stub

MINUTE = 60.0


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
    assert 7200 <= result.next_look.timestamp() - world.now <= 8640
    world.now += 7000
    world.start("a.example.com", limits=None)
    assert len(world.ca.refused) == 1

    world.now += 7 * DAY
    world.ca.failures["a.example.com"] = [world.now] * 5
    world.ca.retry_after = None
    result = world.start("a.example.com", limits=None)
    assert 3600 <= result.next_look.timestamp() - world.now <= 4320


def test_two_resolvers_share_what_the_ca_counts_together(world: World) -> None:
    names = [f"n{number}.example.com" for number in range(60)]
    states = [
        world.start(name, resolver=("http", "tls")[index % 2]).state
        for index, name in enumerate(names)
    ]
    assert states.count(State.VALID) == 50
    assert world.ca.refused == []


def test_restarts_whose_orders_fail_meanwhile(world: World) -> None:
    """The router is stopped once it has answered, and the CA looks at nobody."""
    world.ca.succeeds = False
    for _ in range(30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Order, "_poll", stopped)
            with suppress(Interrupted):
                world.start("a.example.com")
        world.now += 20
    assert world.ca.refused == []
    assert len(world.ca.orders) <= 5
    assert [each["outcome"] for each in world.ledger()[:-1]] == ["failed"] * (
        len(world.ca.orders) - 1
    )
    assert world.ledger()[0]["failed"] == ["a.example.com"]


def stopped(*_: object) -> None:
    raise Interrupted
