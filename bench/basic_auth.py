"""Somebody tries passwords against bcrypt: does another route suffer?"""

import base64
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import Pace, Result, run_load
from bench.routers import Routes

TITLE = "Passwords beside other requests"
TEXT = (
    "One connection tries wrong passwords, one after the other, on a route with basicAuth (bcrypt,"
    " cost 10), while small requests go to another route; and the same without the first. Once 32"
    " connections ask about 7,000 times per second, so that the core has time left; once 8 ask"
    " without a pause, so that it has none. nginx is left out: its basic authentication has no"
    " bcrypt everywhere."
)
USER = "user:$2y$10$Xst9/rhLI34TfL9AFKjimePE5Wfi/B6v0YhaJeV94bl0PHU6/mYCa"
MIDDLEWARES = {"passwords": {"basicAuth": {"users": [USER]}}}


LEVELS = {"core with time left": Pace(32, pause=4), "full core": Pace(8)}


class Measured:
    """The figures of one level."""

    def __init__(self, level: str) -> None:
        latency = f"Other route, 99th percentile, {level}"
        self.quiet = Series(f"{latency}, nobody guesses", "ms")
        self.disturbed = Series(f"{latency}, somebody guesses", "ms")
        self.guesses = Series(f"Guesses per second, {level}", "1/s")
        self.failed = Series(f"Failed requests, {level}", "")

    @property
    def series(self) -> list[Series]:
        return [self.quiet, self.disturbed, self.guesses, self.failed]


def measure(settings: Settings) -> list[Series]:
    measured = {level: Measured(level) for level in LEVELS}
    with running_upstream() as upstream:
        routes = Routes(2, upstream, middlewares=MIDDLEWARES, guarded=1)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                for level, figures in measured.items():

                    def ask(pace: Pace = LEVELS[level]) -> Result:
                        return run_load(
                            directory,
                            running.port,
                            routes.hosts[1:],
                            pace=pace,
                            seconds=settings.seconds,
                        )

                    alone = ask()
                    with guessing(running.port, routes.hosts[0]) as tried:
                        beside = ask()
                        rate = len(tried) * 1e6 / beside.microseconds
                    figures.quiet.add(contestant, alone.p99 / 1000)
                    figures.disturbed.add(contestant, beside.p99 / 1000)
                    figures.guesses.add(contestant, rate)
                    figures.failed.add(contestant, alone.failed + beside.failed)

        contestants = [name for name in settings.contestants if name != "nginx"]
        in_turns(Settings(contestants, settings.rounds, settings.seconds), once)
    return [series for figures in measured.values() for series in figures.series]


@contextmanager
def guessing(port: int, host: str) -> Iterator[list[int]]:
    """Try one wrong password after the other; give the list that the statuses go into."""
    stop = threading.Event()
    statuses: list[int] = []

    def guess() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.is_set():
            word = base64.b64encode(f"user:wrong {len(statuses)}".encode()).decode()
            headers = {"Host": host, "Authorization": f"Basic {word}"}
            connection.request("GET", "/", headers=headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()

    thread = threading.Thread(target=guess)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()
    if set(statuses) != {401}:
        raise RuntimeError(f"guesses were answered {sorted(set(statuses))}")
