"""Routers are killed (SIGKILL) in the middle of orders: nothing is ordered twice or in vain."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgerouter.acme.storage import Storage
from tests.support.acme_bench import TRUSTED, World, orders_in
from tests.support.acme_kills import Killer, restart_until_valid, restart_without_dns
from tests.support.acme_nursery import Nursery
from tests.support.acme_responder import http_responder
from tests.support.acme_stub import acme_stub
from tests.support.pebble import Pebble

KILLED_STARTS, KILLED_ISSUERS = 120, 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with acme_stub(made.ca) as made.url:
        yield made


def test_killed_restarts_with_lost_dns(world: World) -> None:
    names = ["a.example.com", "b.example.com", "c.example.com"]
    kills = restart_without_dns(world, names, KILLED_STARTS, random.Random(7))
    assert kills > KILLED_STARTS / 20
    assert world.ca.refused == []
    assert world.ca.issued == []
    assert world.ca.accounts <= 2, "killed before it knew of the first"

    states = restart_until_valid(world, names, random.Random(8))
    assert states == dict.fromkeys(names, "valid")
    assert sorted(issued for _, issued in world.ca.issued) == [(name,) for name in names]
    assert world.ca.refused == []


def test_routers_that_share_a_storage_take_over_from_those_that_are_killed(world: World) -> None:
    """Each name is issued once, and no order is left behind."""
    chance = random.Random(11)
    names: list[str] = []
    with ExitStack() as stack:
        routers = [
            stack.enter_context(Nursery(world.directory, world.url, TRUSTED)) for _ in range(3)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(len(routers)))
        killer = world.ca.watch = Killer(lambda: chance.choice(routers).kill(), chance, 10)

        def run(router: Nursery, wanted: list[str]) -> None:
            states: dict[str, str] = {}
            while states != dict.fromkeys(wanted, "valid"):
                router.start(wanted, world.now)
                states = {name: each["state"] for name, each in router.wait().items()}
                if killer.kills < KILLED_ISSUERS:
                    killer.aim()

        while killer.kills < KILLED_ISSUERS:
            wanted = [f"n{number}.example{len(names)}.com" for number in range(8)]
            names += wanted
            list(pool.map(run, routers, [wanted] * len(routers)))
    assert sorted(issued for _, issued in world.ca.issued) == sorted((name,) for name in names)
    assert [order["status"] for order in world.ca.orders] == ["valid"] * len(names)
    assert world.ca.refused == []
    storage = Storage(world.directory / "acme.json.d", "le")
    assert len(storage.load_changed()) == len(names)


NAME = "a.example.com"


class Site:
    """Pebble, a router that may be killed, and who answers in its place."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.on_look: Callable[[], None] = lambda: None
        """Called when the CA looks for the answer."""
        self.http01: dict[str, str] = {}

    def serve(self, stack: ExitStack) -> None:
        look = http_responder(self, lambda token: self.on_look())
        port = stack.enter_context(look)
        self.pebble = stack.enter_context(Pebble(self.directory / "pebble", http_port=port))
        trusted = [str(self.pebble.ca_file)]
        self.router = stack.enter_context(Nursery(self.directory, self.pebble.url, trusted))

    def start(
        self, on_answers: Callable[[], None] = lambda: None, now: float | None = None
    ) -> dict[str, Any]:
        """Start the router; return what became of its certificate, of a killed one nothing."""

        def told() -> None:
            self.http01 = dict(self.router.http01)
            on_answers()

        self.router.start([NAME], now)
        return self.router.wait(told).get(NAME, {})

    def kill(self) -> None:
        self.router.kill()

    @property
    def orders(self) -> int:
        return self.pebble.count("Added order")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with ExitStack() as stack:
        made.serve(stack)
        yield made


def test_killed_before_it_answers_the_challenge(site: Site) -> None:
    assert site.start(site.kill) == {}
    assert site.orders == 1
    assert site.start()["state"] == "valid"
    assert site.orders == 1
    assert [each["outcome"] for each in orders_in(site.directory)] == ["issued"]


def test_killed_when_the_ca_looks(site: Site) -> None:
    """The challenge is answered: the CA finds the proof, and nobody who goes on."""
    site.on_look = site.kill
    assert site.start() == {}
    site.on_look = lambda: None
    assert site.start()["state"] == "valid"
    assert site.orders == 1


def test_killed_and_back_before_the_ca_has_looked(site: Site) -> None:
    killed, back, first = threading.Event(), threading.Event(), threading.Lock()

    def wait_for_the_next() -> None:
        if first.acquire(blocking=False):  # The CA looks several times.
            site.kill()
            killed.set()
        back.wait(20)

    site.on_look = wait_for_the_next
    assert site.start() == {}
    assert killed.is_set()
    assert site.start(back.set)["state"] == "valid"
    assert site.orders == 1


def test_killed_and_then_the_ca_finds_no_answer(site: Site) -> None:
    def kill() -> None:
        site.kill()
        site.http01.clear()

    site.on_look = kill
    assert site.start() == {}
    site.on_look = lambda: None
    found = site.start()
    assert found["state"] == "failing"
    assert found["reason"].startswith(f"{NAME}: the CA refuses")
    assert site.orders == 1, "the dead order is not replaced at once"
    (entry,) = orders_in(site.directory)
    assert (entry["outcome"], entry["failed"]) == ("failed", [NAME])
    assert site.start()["state"] == "failing", "nor after the next start"
    assert site.orders == 1
    assert site.start(now=found["next"] + 1)["state"] == "valid"
    assert site.orders == 2
