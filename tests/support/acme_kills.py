"""Routers that are killed at any moment of their orders, at a CA with Let's Encrypt's limits."""

import random
import threading
from collections.abc import Callable, Sequence

from tests.support.acme_bench import TRUSTED, World
from tests.support.acme_nursery import Nursery

LONGEST = 60
"""The last request at which a router is killed; most end before."""


class Killer:
    """Kills a router at a request by chance, before or after the CA has seen to it."""

    def __init__(self, kill: Callable[[], None], chance: random.Random, longest: int) -> None:
        self._kill = kill
        self._chance = chance
        self._longest = longest
        self._lock = threading.Lock()
        self._left = 0
        self.kills = 0
        self.aim()

    def aim(self) -> None:
        with self._lock:
            self._left = self._chance.randint(1, self._longest)

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
            self.kills += 1
        if self._chance.random() < 0.5:
            self._kill()
        else:
            # Not while it waits for the CA, but at what it does with the answer.
            threading.Timer(self._chance.uniform(0, 0.03), self._kill).start()


def restart_without_dns(
    world: World, names: Sequence[str], starts: int, chance: random.Random
) -> int:
    """Start a router again and again, whose names no CA can validate; return the kills."""
    world.ca.succeeds = False
    with Nursery(world.directory, world.url, TRUSTED) as nursery:
        killer = world.ca.watch = Killer(nursery.kill, chance, LONGEST)
        for _ in range(starts):
            killer.aim()
            nursery.start(names, world.now)
            nursery.wait()
            world.now += chance.uniform(1, 400)
    return killer.kills


def restart_until_valid(
    world: World, names: Sequence[str], chance: random.Random
) -> dict[str, str]:
    """Go on with names that lead here; return what has become of them after some hours."""
    world.ca.succeeds = True
    with Nursery(world.directory, world.url, TRUSTED) as nursery:
        killer = world.ca.watch = Killer(nursery.kill, chance, LONGEST)
        for _ in range(30):
            killer.aim()
            nursery.start(names, world.now)
            nursery.wait()
            world.now += 400
        world.ca.watch = lambda: None
        world.now += 6 * 3600
        nursery.start(names, world.now)
        return {name: each["state"] for name, each in nursery.wait().items()}
