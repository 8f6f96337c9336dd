"""A router killed in the middle of orders, again and again: does the CA ever have to refuse?"""

import random
import time

from bench.harness import Series, Settings, say, scratch
from tests.support.acme_bench import World
from tests.support.acme_kills import restart_until_valid, restart_without_dns
from tests.support.acme_stub import acme_stub

TITLE = "Restarts at a CA with limits"
TEXT = (
    "Three names whose DNS is lost, a CA that has Let's Encrypt's limits, and a router that is"
    " started again every few minutes of the CA's time, some starts ended by SIGKILL at a request"
    " to the CA or at what follows. Then DNS is back. edgerouter alone: each start is a process of"
    " its own that looks after its certificates as the control plane does."
)
NAMES = [f"{letter}.example.com" for letter in "abc"]


def measure(settings: Settings) -> list[Series]:
    say(f"  {settings.restarts} restarts")
    begin = time.monotonic()
    with scratch() as directory:
        world = World(directory)
        with acme_stub(world.ca) as world.url:
            kills = restart_without_dns(world, NAMES, settings.restarts, random.Random(1))
            lost = len(world.ca.orders)
            states = restart_until_valid(world, NAMES, random.Random(2))
    values = {
        f"Of {settings.restarts} restarts, killed": kills,
        "Orders without DNS": lost,
        "Orders that the CA refused": len(world.ca.refused),
        "Certificates in the end": list(states.values()).count("valid"),
        "Certificates that the CA has issued": len(world.ca.issued),
    }
    say(f"  {time.monotonic() - begin:.0f} s")
    return [Series(name, "", {"edgerouter": [value]}) for name, value in values.items()]
