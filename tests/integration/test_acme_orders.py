"""Single certificates from a real Pebble: challenges, accounts, failures, continued orders."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography import x509

from edgerouter.acme.answers import Answers
from edgerouter.acme.challenges import HTTPSolver, Solver, TLSSolver
from edgerouter.acme.connection import Account, Authority, Connection
from edgerouter.acme.errors import CertificateError, OrderLost, Unanswered
from edgerouter.acme.keys import certificate_request, facts_of, load_key, new_key
from edgerouter.acme.order import Order, Wanted
from edgerouter.acme.records import Pending
from tests.support.acme_responder import http_responder, tls_responder
from tests.support.pebble import EAB_KEY, EAB_KID, Pebble, newer_pebble


@dataclass
class Memory:
    """A journal without a disk."""

    announced: int = 0
    saved: list[Pending] = field(default_factory=list)

    def announce(self) -> None:
        self.announced += 1

    def save(self, pending: Pending) -> None:
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


def test_an_address_is_proved_over_tls(
    tmp_path: Path, ports: tuple[int, int], answers: Answers
) -> None:
    """The CA asks for its name in the reverse tree (RFC 8738)."""
    extra = {"profiles": {"default": {"description": "", "validityPeriod": 86400}}}
    with Pebble(tmp_path, binary=newer_pebble(), tls_port=ports[1], extra=extra) as newer:
        issued = order(newer, TLSSolver(answers), "127.0.0.1", profile="default").obtain()
    assert facts_of(issued.chain).names == ("127.0.0.1",)


def test_the_key_types(pebble: Pebble, answers: Answers) -> None:
    issued = order(pebble, HTTPSolver(answers), "a.example.com", key_type="EC384").obtain()
    assert load_key(issued.key).key_size == 384


def test_the_common_name_and_addresses() -> None:
    key = new_key("EC256")
    request = x509.load_der_x509_csr(certificate_request(key, ["a.example.com"], common_name=False))
    assert list(request.subject) == []
    request = x509.load_der_x509_csr(
        certificate_request(key, ["a.example.com"], ["me@example.com"])
    )
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["me@example.com"]
    assert request.subject.rfc4514_string() == "CN=a.example.com"
    long = f"{'a' * 60}.example.com"
    request = x509.load_der_x509_csr(certificate_request(key, [long]))
    assert list(request.subject) == [], "longer than a common name may be"


def test_a_name_that_is_not_proved_is_named(pebble: Pebble) -> None:
    made = order(pebble, HTTPSolver(Answers(lambda wait: None)), "a.example.com")
    with pytest.raises(OrderLost, match=r"a\.example\.com: the CA refuses") as caught:
        made.obtain()
    assert caught.value.code == "unauthorized"
    assert caught.value.refused == ("a.example.com",)
    assert isinstance(made.journal, Memory)
    assert made.journal.announced == len(made.journal.saved) == 1


def test_a_dead_order_is_not_replaced_by_another(pebble: Pebble, answers: Answers) -> None:
    made = order(pebble, HTTPSolver(Answers(lambda wait: None)), "a.example.com")
    with pytest.raises(OrderLost):
        made.obtain()
    assert isinstance(made.journal, Memory)
    (pending,) = made.journal.saved
    made.solver = HTTPSolver(answers)
    with pytest.raises(OrderLost, match=r"a\.example\.com: the CA refuses") as caught:
        made.obtain(pending)
    assert caught.value.refused == ("a.example.com",)
    assert not caught.value.expired
    with pytest.raises(OrderLost, match="the CA has no such order") as caught:
        made.obtain(replace(pending, url=f"{pending.url}0"))
    assert caught.value.expired
    assert made.journal.announced == 1


def test_an_order_is_continued_from_wherever_it_was(pebble: Pebble, answers: Answers) -> None:
    made = order(pebble, HTTPSolver(answers), "a.example.com")
    first = made.obtain()
    assert isinstance(made.journal, Memory)
    (pending,) = made.journal.saved
    assert made.obtain(pending) == first, "it had ended, the certificate is fetched again"
    assert made.journal.announced == 1


def test_an_unknown_profile_is_refused_before_an_order(pebble: Pebble, answers: Answers) -> None:
    made = order(pebble, HTTPSolver(answers), "a.example.com", profile="shortlived")
    with pytest.raises(CertificateError, match='no profile "shortlived"; it offers none'):
        made.obtain()


def test_a_preferred_chain(pebble: Pebble, answers: Answers) -> None:
    root = x509.load_pem_x509_certificate(pebble.root().encode())
    name = str(root.subject.rdns[-1].rfc4514_string()).removeprefix("CN=")
    issued = order(pebble, HTTPSolver(answers), "a.example.com", preferred_chain=name).obtain()
    chain = x509.load_pem_x509_certificates(issued.chain.encode())
    assert chain[-1].issuer == root.subject


def test_refused_nonces_are_replaced(
    tmp_path: Path, ports: tuple[int, int], answers: Answers
) -> None:
    with Pebble(tmp_path, http_port=ports[0], nonce_reject=40) as picky:
        for number in range(3):
            order(picky, HTTPSolver(answers), f"n{number}.example.com").obtain()


def test_an_account_bound_to_one_elsewhere(
    tmp_path: Path, ports: tuple[int, int], answers: Answers
) -> None:
    with Pebble(tmp_path, http_port=ports[0], eab=True) as bound:
        account = Account.new(bound.url, "")
        connection = Connection(authority(bound), account)
        with pytest.raises(
            CertificateError, match=r"set acme\.eab\.kid and acme\.eab\.hmacEncoded"
        ):
            connection.register("")
        with pytest.raises(CertificateError, match="the CA refuses"):
            connection.register("", "kid-1", "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc")
        registered = connection.register("", EAB_KID, EAB_KEY)
        assert registered.url.startswith(bound.url.removesuffix("/dir"))
        Order(
            connection,
            bound.url,
            Wanted(("a.example.com",)),
            HTTPSolver(answers),
            Memory(),
            threading.Event(),
        ).obtain()


def test_whom_to_trust_for_the_connection(pebble: Pebble) -> None:
    account = Account.new(pebble.url, "")
    with pytest.raises(Unanswered, match="does not answer"):
        Connection(Authority(pebble.url, timeout=5), account)
    Connection(Authority(pebble.url, certificates=(pebble.ca_file.read_text(),)), account)
    environ = {"LEGO_CA_CERTIFICATES": str(pebble.ca_file)}
    Connection(Authority(pebble.url).with_environment(environ), account)
    named = Authority(pebble.url, certificates=(str(pebble.ca_file),), server_name="localhost")
    Connection(named, account)
    other = Authority(pebble.url, certificates=(str(pebble.ca_file),), server_name="other.example")
    with pytest.raises(CertificateError, match="doesn't match"):
        Connection(other, account)
    with pytest.raises(CertificateError, match=r"caCertificates: /nowhere\.pem"):
        Connection(Authority(pebble.url, certificates=("/nowhere.pem",)), account)


def test_a_ca_that_does_not_speak_acme(ports: tuple[int, int]) -> None:
    url = f"http://127.0.0.1:{ports[0]}/dir"
    with pytest.raises(CertificateError, match="something that is not ACME"):
        Connection(Authority(url, timeout=5), Account.new(url, ""))


def test_revocation(pebble: Pebble, answers: Answers) -> None:
    made = order(pebble, HTTPSolver(answers), "a.example.com")
    issued = made.obtain()
    serial = facts_of(issued.chain).serial
    made.connection.revoke(issued.chain)
    assert pebble.status(serial) == "Revoked"
