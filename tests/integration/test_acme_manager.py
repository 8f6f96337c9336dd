"""Certificates over time with a real Pebble: renewal, failures, restarts, a CA that is away."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgerouter.acme.answers import Answers
from edgerouter.acme.attempt import Finding, State
from edgerouter.acme.challenges import Challenge, pause
from edgerouter.acme.plan import Wish
from edgerouter.acme.resolver import Resolver, make_solver
from edgerouter.acme.storage import Storage
from edgerouter.config.static.acme import ACME
from tests.support.acme_bench import Bench, Relay, again, orders_in, relayed
from tests.support.certificates import make_certificate
from tests.support.pebble import Pebble, newer_pebble


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def relay() -> Relay:
    return Relay()


@pytest.fixture(scope="module")
def port(relay: Relay) -> Iterator[int]:
    with relayed(relay) as port:
        yield port


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Pebble]:
    with Pebble(tmp_path_factory.mktemp("pebble"), http_port=port) as running:
        yield running


async def test_a_wanted_certificate_is_obtained_and_renewed_by_age(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    bench.manager.want([Wish("le", ("a.example.com",), ("a@docker",))])
    await bench.look()
    managed = bench.one()
    assert (managed.state, managed.reason) == (State.VALID, "")
    first = managed.stored
    assert first is not None
    assert bench.changes == [first]
    assert managed.renewal is not None
    age = managed.renewal - first.facts.not_before
    lifetime = first.facts.not_after - first.facts.not_before
    assert lifetime * 0.63 < age <= lifetime * 0.67

    await bench.look()
    assert bench.changes == [first], "it is not due"

    bench.clock.move_to(managed.renewal)
    await bench.look()
    second = bench.one().stored
    assert second is not None
    assert second.facts.serial != first.facts.serial
    assert second.key != first.key
    assert bench.changes == [first, second]


async def test_a_restart_asks_for_nothing_again(bench: Bench, pebble: Pebble, relay: Relay) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    wishes = [Wish("le", ("a.example.com",))]
    bench.manager.want(wishes)
    await bench.look()
    relay.requests.clear()

    bench.start()
    bench.resolve(pebble)
    assert [each.names for each in bench.manager.certificates()] == [("a.example.com",)]
    bench.manager.want(wishes)
    await bench.look()
    assert bench.one().state is State.VALID
    assert relay.requests == []


async def test_a_ca_that_is_away_is_tried_again(
    bench: Bench, tmp_path: Path, port: int, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    with Pebble(tmp_path / "ca", http_port=port) as pebble:
        bench.resolve(pebble)
        pebble.stop()
        bench.manager.want([Wish("le", ("a.example.com",))])
        await bench.look()
        managed = bench.one()
        assert managed.state is State.FAILING
        assert "does not answer" in managed.reason
        wait = (managed.next_look - bench.clock()).total_seconds()
        assert 50 < wait <= 72

        pebble.start()
        await bench.look()
        assert managed.state is State.FAILING, "its time has not come"
        bench.clock.move_to(managed.next_look)
        await bench.look()
        assert managed.state is State.VALID


async def test_failures_are_remembered_over_restarts_and_forgotten_after_success(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    relay.current = Answers(lambda wait: None)  # Nobody answers.
    resolver = bench.resolve(pebble)
    wishes = [Wish("le", ("a.example.com",))]
    bench.manager.want(wishes)
    await bench.look()
    managed = bench.one()
    assert managed.state is State.FAILING
    assert "a.example.com: the CA refuses" in managed.reason
    relay.requests.clear()

    bench.start()
    bench.resolve(pebble)
    bench.manager.want(wishes)
    await bench.look()
    assert bench.one().state is State.FAILING
    assert bench.one().reason == managed.reason
    assert relay.requests == [], "nothing is ordered before its time"

    relay.current = bench.manager.answers
    bench.clock.move_to(managed.next_look)
    await bench.look()
    assert bench.one().state is State.VALID
    assert resolver.storage.failure(("a.example.com",)).load() is None


async def test_an_order_is_continued_after_a_restart(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    resolver = bench.resolve(pebble)
    present = resolver.solver.present

    def stop_after(challenges: Sequence[Challenge], stop: threading.Event) -> None:
        present(challenges, stop)
        stop.set()
        pause(0, stop)

    # The control plane is told to stop after the order was made and before it was answered.
    resolver.solver.present = stop_after  # type: ignore[method-assign]
    wishes = [Wish("le", ("a.example.com",))]
    bench.manager.want(wishes)
    await bench.look()
    (file,) = bench.directory.rglob("order.json")
    url = json.loads(file.read_text())["url"]

    bench.start()
    relay.current = bench.manager.answers
    resolver = bench.resolve(pebble)
    bench.manager.want(wishes)
    await bench.look()
    assert bench.one().state is State.VALID
    assert len(orders_in(bench.directory)) == 1, f"another order than {url} was made"
    assert not file.exists()


@pytest.fixture(scope="module")
def new_pebble(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Pebble]:
    profiles = {
        name: {"description": name, "validityPeriod": days * 86400}
        for name, days in {"classic": 90, "shortlived": 6}.items()
    }
    directory = tmp_path_factory.mktemp("newer")
    with Pebble(
        directory, binary=newer_pebble(), http_port=port, extra={"profiles": profiles}
    ) as running:
        yield running


async def test_the_ca_says_when_to_renew(bench: Bench, new_pebble: Pebble, relay: Relay) -> None:
    relay.current = bench.manager.answers
    bench.resolve(new_pebble, acme={"profile": "classic"})
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    managed = bench.one()
    first = managed.stored
    assert first is not None
    assert managed.renewal is not None

    now = bench.clock()
    window = {"start": now + timedelta(hours=1), "end": now + timedelta(hours=2)}
    new_pebble.set_renewal_info(
        first.chain,
        {"suggestedWindow": {key: f"{time:%Y-%m-%dT%H:%M:%SZ}" for key, time in window.items()}},
    )
    bench.clock.move_to(managed.next_look)
    await bench.look()
    # The window is over by then, or it is not: the CA is asked at most every six hours.
    second = managed.stored
    assert second is not None
    assert second.facts.serial != first.facts.serial, "the CA has said: now"
    assert bench.changes == [first, second]


async def test_the_ca_cannot_let_a_certificate_end(
    bench: Bench, new_pebble: Pebble, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(new_pebble, acme={"profile": "classic"})
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    managed = bench.one()
    first = managed.stored
    assert first is not None
    window = {"start": "2099-01-01T00:00:00Z", "end": "2099-01-02T00:00:00Z"}
    new_pebble.set_renewal_info(first.chain, {"suggestedWindow": window})
    bench.clock.move_to(managed.next_look)
    await bench.look()
    assert managed.renewal is not None
    left = first.facts.not_after - managed.renewal
    assert timedelta(days=8) < left < timedelta(days=10)


async def test_profiles(bench: Bench, new_pebble: Pebble, relay: Relay) -> None:
    relay.current = bench.manager.answers
    bench.resolve(new_pebble, acme={"profile": "shortlived"})
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    managed = bench.one()
    assert managed.stored is not None
    lifetime = managed.stored.facts.not_after - managed.stored.facts.not_before
    assert timedelta(days=5.9) < lifetime < timedelta(days=6.1)
    assert managed.renewal is not None
    assert managed.renewal < managed.stored.facts.not_after - timedelta(days=1)


async def test_an_unknown_profile_names_those_there_are(bench: Bench, new_pebble: Pebble) -> None:
    bench.resolve(new_pebble, acme={"profile": "shortlive"})
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    assert 'no profile "shortlive"; it offers classic, shortlived' in bench.one().reason


async def test_a_failed_order_is_rehearsed_before_it_is_repeated(
    bench: Bench, pebble: Pebble, tmp_path: Path, port: int, relay: Relay
) -> None:
    relay.current = Answers(lambda wait: None)
    with Pebble(tmp_path / "staging", http_port=port) as staging:
        trusted = [str(pebble.ca_file), str(staging.ca_file)]
        bench.resolve(pebble, staging=staging.url, acme={"caCertificates": trusted})
        bench.manager.want([Wish("le", ("a.example.com",))])
        await bench.look()
        managed = bench.one()
        assert managed.state is State.FAILING

        bench.clock.move_to(managed.next_look)
        await bench.look()
        assert managed.reason.startswith("on the CA's staging endpoint: a.example.com")
        assert len(orders_in(bench.directory)) == 1, "production has seen the first order only"

        relay.current = bench.manager.answers
        bench.clock.move_to(managed.next_look)
        await bench.look()
        assert managed.state is State.VALID
        assert managed.stored is not None
        assert managed.stored.directory == pebble.url


async def test_another_ca_means_a_new_certificate(
    bench: Bench, pebble: Pebble, tmp_path: Path, port: int, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    wishes = [Wish("le", ("a.example.com",))]
    bench.manager.want(wishes)
    await bench.look()
    first = bench.one().stored
    with Pebble(tmp_path / "other", http_port=port) as other:
        relay.current = bench.start().answers
        bench.resolve(other)
        assert bench.manager.certificates() == [first], "the old one is served meanwhile"
        bench.manager.want(wishes)
        await bench.look()
        second = bench.one().stored
    assert second is not None
    assert second.directory == other.url


async def test_an_account_the_ca_has_forgotten_is_made_anew(
    bench: Bench, tmp_path: Path, port: int, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    with Pebble(tmp_path / "ca", http_port=port) as pebble:
        bench.resolve(pebble)
        bench.manager.want([Wish("le", ("a.example.com",))])
        await bench.look()
        pebble.stop()
        pebble.start()
        bench.manager.want([Wish("le", ("b.example.com",))])
        await bench.look()
        assert (bench.one().state, bench.one().reason) == (State.VALID, "")


async def test_vanished_names_are_served_and_not_renewed(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    stored = bench.one().stored
    assert stored is not None
    bench.manager.want([])
    bench.clock.move_to(stored.facts.not_after - timedelta(days=1))
    await bench.look()
    assert bench.changes == [stored]
    assert bench.manager.certificates() == [stored]
    bench.clock.move_to(stored.facts.not_after)
    assert bench.manager.certificates() == []


async def test_names_wait_until_they_lead_here(bench: Bench, pebble: Pebble, relay: Relay) -> None:
    findings: list[Finding | None] = [Finding("a.example.com has no address"), None]
    relay.current = bench.start(lambda resolver, names: findings.pop(0)).answers
    bench.resolve(pebble)
    relay.requests.clear()
    bench.manager.want([Wish("le", ("a.example.com",))])
    await bench.look()
    managed = bench.one()
    assert (managed.state, managed.reason) == (State.PENDING_DNS, "a.example.com has no address")
    assert relay.requests == []
    bench.clock.move_to(managed.next_look)
    await bench.look()
    assert (managed.state, managed.reason) == (State.VALID, "")


async def test_one_name_on_demand(bench: Bench, pebble: Pebble, relay: Relay) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    running = asyncio.create_task(bench.manager.run())
    assert await bench.manager.obtain("le", "a.example.com") == ""
    assert [each.names for each in bench.changes] == [("a.example.com",)]
    assert await bench.manager.obtain("le", "a.example.com") == ""
    assert await bench.manager.obtain("none", "b.example.com") == 'there is no resolver "none"'
    bench.manager.want([Wish("le", ("c.example.com",))])
    assert len(bench.manager.managed) == 2, "it is renewed like the others"

    relay.current = Answers(lambda wait: None)
    assert "the CA refuses" in await bench.manager.obtain("le", "d.example.com")
    await bench.manager.settled()
    assert "d.example.com" not in str(bench.manager.plan)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_was_obtained_on_demand_is_renewed_while_it_is_used(
    bench: Bench, pebble: Pebble, relay: Relay
) -> None:
    relay.current = bench.manager.answers
    bench.resolve(pebble)
    running = asyncio.create_task(bench.manager.run())
    assert await bench.manager.obtain("le", "used.example.com") == ""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    relay.current = bench.start().answers
    bench.resolve(pebble)
    assert bench.manager.managed == []
    bench.manager.adopt_on_demand("le")
    await bench.look()
    managed = bench.one()
    assert managed.renewal is not None
    bench.manager.used("used.example.com")
    bench.clock.move_to(datetime.now(UTC) + timedelta(days=29))
    await bench.manager.tidy()
    assert bench.manager.managed == [managed]
    bench.clock.move_to(managed.renewal)
    bench.manager.used("used.example.com")
    before = managed.stored
    await bench.look()
    assert managed.stored != before, "it is renewed"
    bench.clock.move_to(bench.clock() + timedelta(days=31))
    await bench.manager.tidy()
    assert bench.manager.managed == []

    bench.start()
    bench.resolve(pebble)
    bench.manager.adopt_on_demand("le")
    assert bench.manager.managed == [], "nobody has asked for it"


async def test_what_has_ended_and_nobody_wants_is_removed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    acme = ACME.model_validate(
        {"storage": str(tmp_path / "acme.json"), "httpChallenge": {"entryPoint": "web"}}
    )
    resolver = Resolver("le", acme, make_solver("le", acme, bench.manager.answers, {}), {})
    storage = resolver.storage
    storage.open()
    for name, days in (("ended.org", -8), ("recent.org", -6), ("valid.org", 5), ("wanted.org", -8)):
        start = datetime.now(UTC) + timedelta(days=days - 90)
        storage.save([name], make_certificate([name], start=start, days=90), "")
    bench.manager.add(resolver, storage.load_changed())
    bench.manager.want([Wish("le", ("wanted.org",))])
    await bench.manager.tidy()
    assert [each.names[0] for each in again(storage).load_changed()] == [
        "recent.org",
        "valid.org",
        "wanted.org",
    ]
    assert not (storage.directory / "certificates/ended.org").exists()


def test_a_certificate_that_was_renewed_meanwhile_stays(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "le")
    storage.open()
    now = datetime.now(UTC)
    old = make_certificate(["a.org"], start=now - timedelta(days=100), days=90)
    ended = storage.save(["a.org"], old, "")
    storage.save(["a.org"], make_certificate(["a.org"]), "")
    assert not storage.remove(ended, now)
    with storage.exclusive(["a.org"]):
        assert not storage.remove(ended, now + timedelta(days=100))
    assert storage.load(["a.org"]) is not None
    assert storage.remove(ended, now + timedelta(days=100))
    assert storage.load_changed() == []
