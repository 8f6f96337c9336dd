"""What tests of certificates over time need: a clock, a manager or single starts, the disk."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edgerouter.acme.answers import Answers
from edgerouter.acme.attempt import Attempt, Preflight, Result
from edgerouter.acme.challenges import HTTPSolver
from edgerouter.acme.ledger import LETS_ENCRYPT
from edgerouter.acme.manager import Managed, Manager
from edgerouter.acme.resolver import Options, Resolver, make_solver
from edgerouter.acme.storage import Storage, Stored
from edgerouter.config.static.acme import ACME
from tests.support.acme_responder import http_responder
from tests.support.acme_stub import StubCA
from tests.support.certificates import make_certificate
from tests.support.pebble import Pebble

TRUSTED = [make_certificate(["ca.test"]).chain]
"""Instead of the system's authorities, which take long to read and are of no use here."""


class Clock:
    """The system's time, moved on by the test."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move_to(self, time: datetime) -> None:
        self.offset = time - datetime.now(UTC) + timedelta(seconds=1)


def orders_in(directory: Path) -> list[dict[str, Any]]:
    """Return the orders that are written down, of one CA."""
    (ledger,) = directory.glob("acme.json.d/.ledgers/*.json")
    found: list[dict[str, Any]] = json.loads(ledger.read_text())["orders"]
    return found


def again(storage: Storage) -> Storage:
    """Return the same storage as another process has it."""
    return Storage(storage.directory.parent, storage.resolver)


class Bench:
    """A manager whose answers a responder gives, one Pebble, one storage."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Clock()
        self.changes: list[Stored] = []
        self.manager = self.start()

    def start(self, preflight: Preflight | None = None) -> Manager:
        """A new manager, as after a restart."""

        async def publish() -> None:
            pass

        self.manager = Manager(publish, self.changes.append, self.clock, preflight)
        return self.manager

    def resolve(self, pebble: Pebble, name: str = "le", **options: Any) -> Resolver:
        acme = ACME.model_validate(
            {
                "email": "t@example.com",
                "caServer": pebble.url,
                "caCertificates": [str(pebble.ca_file)],
                "storage": str(self.directory / "acme.json"),
                "keyType": "EC256",
                "clientTimeout": "5s",
                "httpChallenge": {"entryPoint": "web"},
                **options.pop("acme", {}),
            }
        )
        solver = make_solver(name, acme, self.manager.answers, {})
        resolver = Resolver(name, acme, solver, {}, Options(**options))
        resolver.storage.open()
        self.manager.add(resolver, resolver.storage.load_changed())
        return resolver

    async def look(self) -> None:
        self.manager.tick()
        await self.manager.settled()

    def one(self) -> Managed:
        (managed,) = self.manager.managed
        return managed


class Relay:
    """Answers of whichever manager runs now."""

    def __init__(self) -> None:
        self.current = Answers(lambda wait: None)
        self.requests: list[str] = []

    @property
    def http01(self) -> dict[str, str]:
        return self.current.http01


@contextmanager
def relayed(relay: Relay) -> Iterator[int]:
    """Answer HTTP-01 as the manager of the moment would; yields the port."""
    with http_responder(relay, relay.requests.append) as port:
        yield port


class World:
    """A CA, a disk, and a time that only the test moves."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1_800_000_000.0
        self.ca = StubCA(lambda: self.now)
        self.url = ""

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def start(
        self,
        *names: str,
        resolver: str = "le",
        force: bool = False,
        preflight: Preflight | None = None,
        **own: Any,
    ) -> Result:
        """One start of the router: everything is made anew, only the disk is the same."""
        acme = ACME(
            ca_server=self.url,
            storage=str(self.directory / "acme.json"),
            key_type="EC256",
            certificate_timeout=0.3,
            ca_certificates=TRUSTED,
        )
        solver = HTTPSolver(Answers(lambda wait: None))
        options = Options(**{"limits": LETS_ENCRYPT, **own})
        made = Resolver(resolver, acme, solver, {}, options)
        made.storage.open()
        attempt = Attempt(made, names, self.time, threading.Event(), preflight, force=force)
        return attempt.run()

    def later(self, result: Result) -> None:
        """Move the time on to the next look."""
        self.now = result.next_look.timestamp() + 1

    def ledger(self) -> list[dict[str, Any]]:
        return orders_in(self.directory)
