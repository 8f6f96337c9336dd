"""Single certificates from a real Pebble: challenges, accounts, failures, continued orders."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from edgerouter.acme.challenges import Answers, HTTPSolver, Solver, TLSSolver
from edgerouter.acme.connection import Account, Authority, Connection
from edgerouter.acme.keys import facts_of, load_key
from edgerouter.acme.order import Order, Pending, Wanted
from tests.support.acme_responder import http_responder, tls_responder
from tests.support.pebble import Pebble


@dataclass
class Memory:
    """A journal without a disk."""

    pending: Pending | None = None
    saved: list[Pending | None] = field(default_factory=list)

    def load(self) -> Pending | None:
        return self.pending

    def save(self, pending: Pending | None) -> None:
        self.pending = pending
        self.saved.append(pending)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(lambda wait: None)


@pytest.fixture(scope="module")
def ports(answers: Answers) -> Iterator[tuple[int, int]]:
    with http_responder(answers) as http, tls_responder(answers) as tls:
        yield http, tls


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]) -> Iterator[Pebble]:
    directory = tmp_path_factory.mktemp("pebble")
    with Pebble(directory, http_port=ports[0], tls_port=ports[1]) as running:
        yield running


def authority(pebble: Pebble) -> Authority:
    return Authority(pebble.url, timeout=10, certificates=(str(pebble.ca_file),))


def connect(pebble: Pebble) -> tuple[Connection, Account]:
    connection = Connection(authority(pebble), Account.new(pebble.url, "t@example.com"))
    return connection, connection.register("t@example.com")


def order(pebble: Pebble, solver: Solver, *names: str, **options: object) -> Order:
    connection, _ = connect(pebble)
    wanted = Wanted(names, **options)  # type: ignore[arg-type]
    return Order(connection, pebble.url, wanted, solver, Memory(), threading.Event())


def test_a_name_is_proved_over_http(pebble: Pebble, answers: Answers) -> None:
    made = order(pebble, HTTPSolver(answers), "a.example.com", "b.example.com")
    issued = made.obtain()
    facts = facts_of(issued.chain)
    assert facts.names == ("a.example.com", "b.example.com")
    assert load_key(issued.key).key_size == 256
    assert answers.http01 == {}


def test_a_name_is_proved_over_tls(pebble: Pebble, answers: Answers) -> None:
    issued = order(pebble, TLSSolver(answers), "tls.example.com", key_type="RSA2048").obtain()
    assert facts_of(issued.chain).names == ("tls.example.com",)
    assert load_key(issued.key).key_size == 2048
    assert answers.acme_tls == {}
