"""What is looked at before an order."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgerouter.acme.answers import Answer, Answers
from edgerouter.acme.caa import allowed_issuers
from edgerouter.acme.challenges import (
    Challenge,
    HTTPSolver,
    TLSSolver,
    challenge_certificate,
)
from edgerouter.acme.preflight import examine, make_preflight
from edgerouter.acme.resolver import Resolver
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.acme import ACME
from tests.support.acme_responder import http_responder, running, tls_responder
from tests.support.dns_server import Zone, dns_server
from tests.support.router_process import free_ports

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class DNSKind:
    """A solver of DNS-01 as far as the preflight looks."""

    kind = "dns-01"

    def present(self, challenges: Any, stop: threading.Event) -> None:
        raise AssertionError

    def clean_up(self, challenges: Any) -> None:
        raise AssertionError


@pytest.fixture
def answers() -> Answers:
    return Answers(lambda wait: None)


def make_resolver(tmp_path: Path, solver: Any, ca: str = "https://127.0.0.1/dir") -> Resolver:
    return Resolver("le", ACME(ca_server=ca, storage=str(tmp_path)), solver, {})


@pytest.fixture
def resolver(tmp_path: Path, answers: Answers) -> Resolver:
    return make_resolver(tmp_path, HTTPSolver(answers))


def test_a_name_that_leads_here(resolver: Resolver, answers: Answers) -> None:
    asked: list[str] = []
    with http_responder(answers, asked.append) as port:
        assert examine(resolver, ["127.0.0.1"], port) is None
    assert len(asked) == 1
    assert answers.http01 == {}, "nothing is left behind"


def test_a_name_that_leads_elsewhere(resolver: Resolver) -> None:
    with http_responder(Answers(lambda wait: None)) as port:
        finding = examine(resolver, ["127.0.0.1"], port)
    assert finding is not None
    assert finding.is_certain
    assert finding.message.startswith("127.0.0.1 leads to 127.0.0.1, which answers 404 instead of")


def test_a_page_of_somebody_else(resolver: Resolver) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"welcome")

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    with running(server):
        finding = examine(resolver, ["127.0.0.1"], server.server_address[1])
    assert finding is not None
    assert finding.is_certain


def test_what_cannot_be_reached_from_inside_is_a_doubt_only(resolver: Resolver) -> None:
    (port,) = free_ports(1)
    finding = examine(resolver, ["127.0.0.1"], port)
    assert finding is not None
    assert not finding.is_certain
    assert "refused" in finding.message


def test_a_name_without_an_address(resolver: Resolver) -> None:
    finding = examine(resolver, ["nowhere.invalid"])
    assert finding is not None
    assert finding.is_certain
    assert finding.message.startswith("nowhere.invalid has no address in DNS")


def test_tls_challenges_are_seen_as_the_ca_would(tmp_path: Path, answers: Answers) -> None:
    solver = make_resolver(tmp_path, TLSSolver(answers))
    with tls_responder(answers) as port:
        assert examine(solver, ["127.0.0.1"], port) is None
    assert answers.acme_tls == {}, "nothing is left behind"
    finding = examine(solver, ["127.0.0.1"], port)
    assert finding is not None
    assert not finding.is_certain, "behind NAT it cannot be reached from inside"


def test_tls_challenges_that_somebody_else_answers(tmp_path: Path, answers: Answers) -> None:
    other = Answers(lambda wait: None)
    pair = challenge_certificate("127.0.0.1", "another key authorization")
    other.add([Answer("tls-alpn-01", "1.0.0.127.in-addr.arpa", pair)], threading.Event())
    with tls_responder(other) as port:
        finding = examine(make_resolver(tmp_path, TLSSolver(answers)), ["127.0.0.1"], port)
    assert finding is not None
    assert finding.is_certain
    assert "answers with another certificate instead of our challenge" in finding.message


def test_dns_challenges_need_no_way_here(tmp_path: Path) -> None:
    assert examine(make_resolver(tmp_path, DNSKind()), ["nowhere.invalid"]) is None


@pytest.mark.parametrize(
    ("mode", "ca", "looks"),
    [
        (None, LETS_ENCRYPT, True),
        (None, "https://127.0.0.1:14000/dir", False),
        ("auto", "https://127.0.0.1:14000/dir", False),
        ("on", "https://127.0.0.1:14000/dir", True),
        ("off", LETS_ENCRYPT, False),
    ],
)
def test_when_it_looks(
    tmp_path: Path, answers: Answers, mode: str | None, ca: str, looks: bool
) -> None:
    own = {} if mode is None else {"certificatesResolvers": {"le": {"preflight": mode}}}
    look = make_preflight(StaticConfiguration.model_validate({"edgerouter": own}))
    resolver = make_resolver(tmp_path, HTTPSolver(answers), ca)
    assert (look(resolver, ["nowhere.invalid"]) is not None) is looks


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def server(zone: Zone) -> Iterator[str]:
    with dns_server(zone) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("records", "name", "allowed"),
    [
        ({}, "a.example.com", None),
        ({"example.com": ['0 issue "letsencrypt.org"']}, "a.example.com", {"letsencrypt.org"}),
        ({"example.com": ['0 issue ";"']}, "a.example.com", set()),
        (
            {"example.com": ['0 issue "x.org; account=1"'], "a.example.com": ['0 issue "y.org"']},
            "a.example.com",
            {"y.org"},
        ),
        (
            {"example.com": ['0 issue "x.org"', '0 issuewild "w.org"']},
            "*.example.com",
            {"w.org"},
        ),
        ({"example.com": ['0 issue "x.org"']}, "*.example.com", {"x.org"}),
        ({"example.com": ['0 iodef "mailto:a@example.com"']}, "example.com", None),
    ],
)
def test_caa_records(
    zone: Zone, server: str, records: dict[str, list[str]], name: str, allowed: set[str] | None
) -> None:
    zone.caa.update(records)
    assert allowed_issuers(name, [server]) == allowed


def test_a_ca_that_is_not_allowed(tmp_path: Path, zone: Zone, server: str) -> None:
    zone.caa["example.com"] = ['0 issue "other.org"']
    acme = ACME.model_validate(
        {
            "caServer": LETS_ENCRYPT,
            "storage": str(tmp_path),
            "dnsChallenge": {"resolvers": [server]},
        }
    )
    finding = examine(Resolver("le", acme, DNSKind(), {}), ["a.example.com"])
    assert finding is not None
    assert finding.message == (
        "the CAA records of a.example.com allow other.org, not letsencrypt.org;"
        " add one for letsencrypt.org"
    )
    zone.caa["example.com"].append('0 issue "letsencrypt.org"')
    assert examine(Resolver("le", acme, DNSKind(), {}), ["a.example.com"]) is None


def test_what_cannot_be_looked_at_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "edgerouter.acme.caa", None)
    resolver = make_resolver(tmp_path, DNSKind(), LETS_ENCRYPT)
    for _ in range(2):
        assert examine(resolver, ["a.example.com"]) is None
    (record,) = caplog.records
    assert 'install "edgerouter[dns]"' in record.__dict__["fields"]["remedy"]


def test_the_token_is_one_that_nobody_could_guess(answers: Answers) -> None:
    seen: list[str] = []
    solver = HTTPSolver(answers)
    present = solver.present

    def watch(challenges: list[Challenge], stop: threading.Event) -> None:
        seen.extend(each.token for each in challenges)
        present(challenges, stop)

    solver.present = watch  # type: ignore[method-assign,assignment]
    with http_responder(answers) as port:
        for _ in range(2):
            examine(make_resolver(Path("unused"), solver), ["127.0.0.1"], port)
    assert len(set(seen)) == 2
    assert all(len(token) >= 32 for token in seen)
