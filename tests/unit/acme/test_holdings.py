"""Which certificates are served, and which first."""

from datetime import UTC, datetime, timedelta

from edgerouter.acme.holdings import Holdings, key_of
from edgerouter.acme.keys import facts_of
from edgerouter.acme.storage import Stored
from tests.support.certificates import make_certificate

NOW = datetime.now(UTC)


def stored(resolver: str, *names: str, days: float = 90, age: float = 0) -> Stored:
    issued = make_certificate(names, start=NOW - timedelta(days=age), days=days)
    return Stored(resolver, names, issued.chain, issued.key, facts_of(issued.chain))


def revoked(certificate: Stored) -> Stored:
    return Stored(
        certificate.resolver,
        certificate.names,
        certificate.chain,
        certificate.key,
        certificate.facts,
        certificate.directory,
        revoked=True,
    )


def holding(*certificates: Stored) -> Holdings:
    made = Holdings()
    for each in certificates:
        made.keep(each)
    return made


def test_the_wanted_one_comes_before_longer_lived_leftovers() -> None:
    left, wanted = stored("staging", "a.org", days=90), stored("le", "a.org", days=30)
    other = stored("le", "b.org", days=60)
    held = holding(left, other, wanted)
    assert held.served(NOW, {key_of(wanted)}) == [wanted, left, other]
    assert held.served(NOW, {key_of(wanted), key_of(other)}) == [other, wanted, left]
    assert held.served(NOW, ()) == [left, other, wanted]


def test_what_has_ended_is_not_served() -> None:
    ended = stored("le", "a.org", days=90, age=91)
    assert holding(ended).served(NOW, {key_of(ended)}) == []


def test_a_revoked_one_is_served_last_and_while_it_is_wanted() -> None:
    bad, left = revoked(stored("le", "a.org")), stored("old", "a.org", days=10)
    held = holding(bad, left)
    assert held.served(NOW, {key_of(bad)}) == [left, bad]
    assert held.served(NOW, ()) == [left]


def test_what_was_read_before_it_was_revoked_stays_revoked() -> None:
    good = stored("le", "a.org")
    held = holding(revoked(good))
    assert not held.keep(good)
    assert held.get(key_of(good)) == revoked(good)
    new = stored("le", "a.org")
    assert held.keep(new)
    assert held.get(key_of(good)) == new


def test_what_was_found_replaces_nothing_newer() -> None:
    old, new = stored("le", "a.org", age=30), stored("le", "a.org")
    held = holding(new)
    assert not held.keep_found(old)
    assert held.get(key_of(new)) == new
    held = holding(old)
    assert held.keep_found(new)
