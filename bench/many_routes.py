"""The same small requests with 10,000 routers: does their cost grow with the number?"""

from bench import small_get
from bench.harness import Series, Settings

TITLE = "Small requests, 10,000 routers"
TEXT = "As before, with 10,000 routers and services in the table, all of them used."
ROUTERS = 10_000


def measure(settings: Settings) -> list[Series]:
    return small_get.measure(settings, ROUTERS)
