"""Somebody tries passwords against bcrypt: does another route suffer?"""

import base64
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import run_load
from bench.routers import Routes

TITLE = "Passwords beside other requests"
TEXT = (
    "One connection tries wrong passwords, one after the other, on a route with basicAuth (bcrypt,"
    " cost 10), while 8 keep-alive connections send small requests to another route; and the same"
    " without the first. nginx is left out: its basic authentication has no bcrypt everywhere."
)
USER = "user:$2y$10$Xst9/rhLI34TfL9AFKjimePE5Wfi/B6v0YhaJeV94bl0PHU6/mYCa"
MIDDLEWARES = {"passwords": {"basicAuth": {"users": [USER]}}}


def measure(settings: Settings) -> list[Series]:
    quiet = Series("Latency of the other route, 99th percentile, nobody guesses", "ms")
    disturbed = Series("Latency of the other route, 99th percentile, somebody guesses", "ms")
    guesses = Series("Guesses per second", "1/s")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        routes = Routes(2, upstream, middlewares=MIDDLEWARES, guarded=1)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):

                def ask() -> tuple[float, int]:
                    result = run_load(
                        directory,
                        running.port,
                        routes.hosts[1:],
                        connections=8,
                        seconds=settings.seconds,
                    )
                    failed.add(contestant, result.failed)
                    return result.p99 / 1000, result.microseconds

                quiet.add(contestant, ask()[0])
                with guessing(running.port, routes.hosts[0]) as tried:
                    latency, microseconds = ask()
                    disturbed.add(contestant, latency)
                    guesses.add(contestant, len(tried) * 1e6 / microseconds)

        contestants = [name for name in settings.contestants if name != "nginx"]
        in_turns(Settings(contestants, settings.rounds, settings.seconds), once)
    return [quiet, disturbed, guesses, failed]


@contextmanager
def guessing(port: int, host: str) -> Iterator[list[int]]:
    """Try one wrong password after the other; give the list that the statuses go into."""
    stop = threading.Event()
    statuses: list[int] = []

    def guess() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
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
