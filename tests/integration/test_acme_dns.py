"""DNS-01 with a real Pebble, a DNS server of the test, and real clients of DNS providers."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgerouter.acme.challenges import Challenge
from edgerouter.acme.connection import Account, Authority, Connection
from edgerouter.acme.dns import DNSSolver, Propagation, ZoneAccount
from edgerouter.acme.dns_accounts import make_account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.keys import facts_of
from edgerouter.acme.order import Issued, Order, Wanted
from edgerouter.acme.resolver import NoJournal
from tests.integration.test_acme_end_to_end import ENTRY_POINTS, dynamic, flags, router_of
from tests.support.dns_server import KEY_NAME, KEY_SECRET, Zone, dns_server, powerdns
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.https import ask_https
from tests.support.pebble import Pebble


@pytest.fixture(scope="module")
def zone() -> Zone:
    return Zone()


@pytest.fixture(scope="module")
def port(zone: Zone) -> Iterator[int]:
    with dns_server(zone) as port:
        yield port


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Pebble]:
    with Pebble(tmp_path_factory.mktemp("pebble"), dns=f"127.0.0.1:{port}") as running:
        yield running


@pytest.fixture(autouse=True)
def empty(zone: Zone) -> None:
    zone.updates.clear()
    zone.txt.clear()
    zone.cname.clear()
    zone.ttls.clear()
    zone.hidden = 0
    zone.name_servers = {"ns.example.com": ["127.0.0.1"]}


@pytest.fixture
def updates(port: int) -> Mapping[str, str]:
    return {
        "RFC2136_NAMESERVER": f"127.0.0.1:{port}",
        "RFC2136_TSIG_KEY": KEY_NAME,
        "RFC2136_TSIG_SECRET": KEY_SECRET,
        "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
    }


def solver(port: int, *accounts: ZoneAccount, **options: Any) -> DNSSolver:
    return DNSSolver(accounts, [f"127.0.0.1:{port}"], authoritative_port=port, **options)


def obtain(pebble: Pebble, solving: DNSSolver, *names: str) -> Issued:
    authority = Authority(pebble.url, timeout=10, certificates=(str(pebble.ca_file),))
    connection = Connection(authority, Account.new(pebble.url, ""))
    connection.register("")
    return Order(
        connection, pebble.url, Wanted(names), solving, NoJournal(), threading.Event()
    ).obtain()


def test_a_wildcard_and_its_domain_through_dynamic_updates(
    pebble: Pebble, zone: Zone, port: int, updates: Mapping[str, str]
) -> None:
    solving = solver(port, ZoneAccount(make_account("rfc2136", updates)))
    issued = obtain(pebble, solving, "example.com", "*.example.com")
    assert facts_of(issued.chain).names == ("example.com", "*.example.com")
    assert {(action, name) for action, name, _ in zone.updates} == {
        ("add", "_acme-challenge.example.com"),
        ("delete", "_acme-challenge.example.com"),
    }
    assert len(zone.updates) == 4, "two values at the same name"
    assert zone.txt == {"_acme-challenge.example.com": set()}


def test_a_provider_of_the_library(pebble: Pebble, zone: Zone, port: int) -> None:
    with powerdns(zone) as url:
        account = make_account("pdns", {"PDNS_API_URL": url, "PDNS_API_KEY": "secret"})
        issued = obtain(pebble, solver(port, ZoneAccount(account)), "*.example.com")
    assert facts_of(issued.chain).names == ("*.example.com",)
    assert [action for action, _, _ in zone.updates] == ["add", "delete"]


def test_a_provider_that_refuses_is_named(pebble: Pebble, zone: Zone, port: int) -> None:
    with powerdns(zone) as url:
        account = make_account("pdns", {"PDNS_API_URL": url, "PDNS_API_KEY": "wrong"})
        with pytest.raises(CertificateError, match=r'"pdns" fails for the zone example\.com: 401'):
            obtain(pebble, solver(port, ZoneAccount(account)), "a.example.com")


def test_an_update_that_is_refused(pebble: Pebble, port: int, updates: Mapping[str, str]) -> None:
    plain = {"RFC2136_NAMESERVER": updates["RFC2136_NAMESERVER"]}
    with pytest.raises(CertificateError, match=r"refuses the update of example\.com: REFUSED"):
        obtain(pebble, solver(port, ZoneAccount(make_account("rfc2136", plain))), "example.com")


def test_a_challenge_that_is_delegated_by_cname(
    pebble: Pebble, zone: Zone, port: int, updates: Mapping[str, str]
) -> None:
    """The name's own zone is not touched, and needs no account."""
    zone.cname["_acme-challenge.a.example.org"] = "a-example-org.challenges.example.com"
    account = ZoneAccount(make_account("rfc2136", updates), ("example.com",))
    issued = obtain(pebble, solver(port, account), "*.a.example.org")
    assert facts_of(issued.chain).names == ("*.a.example.org",)
    assert {name for _, name, _ in zone.updates} == {"a-example-org.challenges.example.com"}


@pytest.mark.parametrize(
    "name_servers",
    [
        {"ns.example.com": ["127.0.0.1", "fe80::53"]},
        {"ns.example.com": ["127.0.0.1"], "ns6.example.com": ["fe80::53"]},
    ],
    ids=["one with both kinds of addresses", "one with the other kind only"],
)
def test_name_servers_whose_addresses_lead_nowhere(
    zone: Zone, port: int, updates: Mapping[str, str], name_servers: dict[str, list[str]]
) -> None:
    """As on a host without IPv6."""
    monitored = solver(port, ZoneAccount(make_account("rfc2136", timed(updates, "1"))))
    zone.name_servers = name_servers
    challenge = Challenge("a.example.com", "token", "token.key", "")
    monitored.present([challenge], threading.Event())
    monitored.clean_up([challenge])
    assert [action for action, _, _ in zone.updates] == ["add", "delete"]


def test_a_server_counts_once_one_of_its_addresses_has_the_record(
    zone: Zone, port: int, updates: Mapping[str, str]
) -> None:
    zone.name_servers = {"ns.example.com": ["127.0.0.2", "127.0.0.1"]}
    account = make_account("rfc2136", timed(updates, "1"))
    solver(port, ZoneAccount(account)).present(
        [Challenge("a.example.com", "token", "token.key", "")], threading.Event()
    )


def timed(updates: Mapping[str, str], patience: str) -> dict[str, str]:
    """Return the account with these seconds for its records."""
    return {
        **updates,
        "RFC2136_POLLING_INTERVAL": "50ms",
        "RFC2136_PROPAGATION_TIMEOUT": patience,
        "RFC2136_TTL": "30",
    }


def test_records_are_waited_for(
    pebble: Pebble, zone: Zone, port: int, updates: Mapping[str, str]
) -> None:
    zone.hidden = 3
    solving = solver(port, ZoneAccount(make_account("rfc2136", timed(updates, "60"))))
    obtain(pebble, solving, "a.example.com")
    assert zone.hidden == 0
    assert zone.ttls == {30}

    impatient = solver(port, ZoneAccount(make_account("rfc2136", timed(updates, "200ms"))))
    zone.hidden = 100
    with pytest.raises(CertificateError, match=r"has no TXT record _acme-challenge\.a.* 0\.2 s"):
        obtain(pebble, impatient, "a.example.com")
    assert zone.txt["_acme-challenge.a.example.com"] == set(), "it is taken away again"

    zone.hidden = 0
    unchecked = solver(
        port,
        ZoneAccount(make_account("rfc2136", updates)),
        propagation=Propagation(checks=False),
    )
    obtain(pebble, unchecked, "a.example.com")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_recursive_servers_are_asked_too(
    zone: Zone, port: int, updates: Mapping[str, str], host: str
) -> None:
    zone.hidden = 2
    asking = DNSSolver(
        [ZoneAccount(make_account("rfc2136", timed(updates, "60")))],
        [f"{host}:{port}"],
        Propagation(all_recursive=True, authoritative=False),
    )
    asking.present([Challenge("a.example.com", "token", "token.key", "")], threading.Event())
    assert zone.hidden == 0


def test_one_wildcard_for_all_hosts_below_a_domain(
    zone: Zone,
    port: int,
    tmp_path: Path,
    updates: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in updates.items():
        monkeypatch.setenv(name, value)
    acme = "certificatesresolvers.letsencrypt.acme"
    hosts = ("example.com", "a.example.com", "b.example.com", "c.b.example.com")
    routers = {host.replace(".", "-"): router_of(host) for host in hosts}
    with Pebble(tmp_path / "pebble", dns=f"127.0.0.1:{port}") as pebble:
        options = {
            **flags(pebble, "dnschallenge"),
            f"{acme}.dnschallenge.provider": "rfc2136",
            f"{acme}.dnschallenge.resolvers": f"127.0.0.1:{port}",
            f"{acme}.dnschallenge.propagation.disableanschecks": "true",
            "edgerouter.certificatesresolvers.letsencrypt.wildcards": "example.com",
        }
        with edgerouter(tmp_path / "router", ENTRY_POINTS, options, dynamic(**routers)) as router:
            roots, secure = pebble.root(), router.ports["websecure"]
            for host in hosts:
                eventually(
                    lambda host=host: ask_https(secure, host, roots=roots),  # type: ignore[misc]
                    lambda answer: answer.status == 418,
                    within=30,
                )
            plans = router.get("/api/edgerouter/certificates")
    assert [(plan["names"], plan["routers"]) for plan in plans] == [
        (["*.example.com"], ["a-example-com@file", "b-example-com@file"]),
        (["c.b.example.com"], ["c-b-example-com@file"]),
        (["example.com"], ["example-com@file"]),
    ]


def test_accounts_are_chosen_by_zone(
    pebble: Pebble, port: int, updates: Mapping[str, str], tmp_path: Path
) -> None:
    good = make_account("rfc2136", updates)
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    program.chmod(0o755)
    bad = make_account("exec", {"EXEC_PATH": str(program)})
    obtain(
        pebble, solver(port, ZoneAccount(bad), ZoneAccount(good, ("example.com",))), "example.com"
    )
    with pytest.raises(
        CertificateError, match=r"present: present _acme-challenge\.example\.com\. "
    ):
        obtain(
            pebble, solver(port, ZoneAccount(bad), ZoneAccount(good, ("other.org",))), "example.com"
        )
    with pytest.raises(CertificateError, match=r"no DNS account is for the zone example\.com"):
        obtain(pebble, solver(port, ZoneAccount(good, ("other.org",))), "example.com")
