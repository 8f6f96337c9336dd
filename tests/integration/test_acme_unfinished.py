"""Orders that take longer: a CA that is slow, busy, away; its staging endpoint too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerouter.acme.attempt import Finding, State
from tests.support.acme_bench import World
from tests.support.acme_stub import StubCA, acme_stub

NOBODY = "http://127.0.0.1:9/dir"
NAME = "a.example.com"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with acme_stub(made.ca) as made.url:
        yield made


def test_a_slow_ca_gets_one_order(world: World) -> None:
    world.ca.slow = True
    for _ in range(4):
        result = world.start(NAME)
        assert result.state is State.FAILING
        assert "the CA takes longer than 0.3 s for issuing the certificate" in result.reason
        world.later(result)
    assert [each["outcome"] for each in world.ledger()] == ["made"]
    world.ca.slow = False
    assert world.start(NAME).state is State.VALID
    assert len(world.ca.orders) == len(world.ca.issued) == 1
    assert [each["outcome"] for each in world.ledger()] == ["issued"]


def test_a_busy_ca_gets_one_order(world: World) -> None:
    world.ca.busy = 6
    states = []
    for _ in range(7):
        result = world.start(NAME)
        states.append(result.state)
        assert result.state is State.VALID or "Service busy; retry later" in result.reason
        assert result.next_look.timestamp() - world.now >= 30, "the CA has said so"
        world.later(result)
    assert states == [State.FAILING] * 6 + [State.VALID]
    assert len(world.ca.orders) == 1


def test_an_order_that_the_ca_has_forgotten_is_made_again_at_once(world: World) -> None:
    world.ca.slow = True
    world.later(world.start(NAME))
    world.ca.orders[0]["status"] = "gone"
    world.ca.slow = False
    assert world.start(NAME).state is State.VALID
    assert [each["outcome"] for each in world.ledger()] == ["failed", "issued"]
    assert world.ledger()[0]["failed"] == [], "no proof has failed"


def test_an_order_whose_time_is_over_is_made_again_at_once(world: World) -> None:
    world.ca.busy = 1
    world.later(world.start(NAME))
    world.ca.orders[0] |= {"status": "invalid", "expires": "2020-01-01T00:00:00Z"}
    assert world.start(NAME).state is State.VALID
    assert [each["outcome"] for each in world.ledger()] == ["failed", "issued"]


def test_what_replaces_a_lost_order_is_looked_at_as_the_first_was(world: World) -> None:
    world.ca.busy = 1
    world.later(world.start(NAME))
    world.ca.orders[0]["status"] = "gone"
    result = world.start(NAME, preflight=lambda *_: Finding(f"{NAME} has no address"))
    assert (result.state, result.reason) == (State.PENDING_DNS, f"{NAME} has no address")
    assert [each["outcome"] for each in world.ledger()] == ["failed"]


def test_a_request_that_is_refused_means_another_key(world: World) -> None:
    world.ca.bad_request = "badCSR"
    result = world.start(NAME)
    assert "[badCSR]" in result.reason
    world.later(result)
    world.ca.bad_request = ""
    world.ca.orders[0]["status"] = "invalid"  # So that the stub makes another.
    assert world.start(NAME).state is State.VALID
    assert [each["outcome"] for each in world.ledger()] == ["failed", "issued"]


def test_a_ca_that_is_away_has_no_orders_written_down(world: World) -> None:
    url, world.url = world.url, NOBODY
    result = world.start(NAME)
    assert "does not answer" in result.reason
    assert not list(world.directory.glob("acme.json.d/.ledgers/*.json"))
    world.url = url
    assert world.start(NAME).state is State.VALID, "a restart asks at once, it costs nothing"


def test_a_staging_endpoint_that_is_away_stops_nothing(world: World) -> None:
    world.ca.succeeds = False
    result = world.start(NAME, staging=NOBODY)
    assert result.state is State.FAILING
    world.later(result)
    world.ca.succeeds = True
    assert world.start(NAME, staging=NOBODY).state is State.VALID


def test_a_rehearsal_is_not_repeated_while_the_ca_is_busy(world: World) -> None:
    staging = StubCA(lambda: world.now)
    with acme_stub(staging) as url:
        world.ca.succeeds = False
        world.later(world.start(NAME, staging=url))
        assert staging.orders == []
        world.ca.succeeds = True
        world.ca.busy_with_new = 2
        for _ in range(2):
            result = world.start(NAME, staging=url)
            assert result.state is State.FAILING
            assert "Service busy" in result.reason
            world.later(result)
        assert world.start(NAME, staging=url).state is State.VALID
        assert len(staging.orders) == 1


def test_a_failed_rehearsal_is_no_order(world: World) -> None:
    staging = StubCA(lambda: world.now, succeeds=False)
    with acme_stub(staging) as url:
        world.ca.succeeds = False
        for _ in range(4):
            result = world.start(NAME, staging=url)
            world.later(result)
        assert "on the CA's staging endpoint: a.example.com" in result.reason
        assert (len(world.ca.orders), len(staging.orders)) == (1, 3)


def test_renewals_are_not_rehearsed(world: World) -> None:
    first = world.start(NAME)
    staging = StubCA(lambda: world.now, succeeds=False)
    with acme_stub(staging) as url:
        world.later(first)
        world.ca.succeeds = False
        result = world.start(NAME, staging=url)
        assert result.state is State.FAILING
        world.later(result)
        world.ca.succeeds = True
        assert world.start(NAME, staging=url).state is State.VALID
        assert staging.orders == []
