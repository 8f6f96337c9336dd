"""The CA's limits hold over restarts, and over all resolvers that use it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from edgerouter.acme.ledger import (
    DAY,
    HOUR,
    LETS_ENCRYPT,
    Ledger,
    Limit,
    Outcome,
    limits_of,
    registered_domain,
)

CA = "https://acme-v02.api.letsencrypt.org/directory"
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.json"


def opened(path: Path, resolver: str = "le") -> Ledger:
    return Ledger(path, resolver, LETS_ENCRYPT)


def refusal(
    path: Path, *names: str, at: float = NOW, renewal: bool = False, resolver: str = "le"
) -> str | None:
    """What a ledger that has just been opened says."""
    found = opened(path, resolver).refusal(names, at, renewal=renewal)
    return found and f"{found.reason} until {found.until - NOW:g}"


def order(
    path: Path,
    name: str,
    at: float,
    outcome: Outcome = "issued",
    resolver: str = "le",
    **options: bool,
) -> None:
    ledger = opened(path, resolver)
    assert ledger.order((name,), at, **options) is None
    ledger.finish((name,), outcome, at, (name,) if outcome == "failed" else ())


def test_the_same_names(path: Path) -> None:
    for number in range(5):
        assert refusal(path, "a.org") is None
        order(path, "a.org", NOW - DAY + number)
    told = refusal(path, "a.org")
    assert told is not None
    assert told.startswith(
        "5 certificates for exactly a.org in 7 days, the CA allows 5 until 518400"
    )
    assert refusal(path, "a.org", at=NOW + 6 * DAY) is None
    assert refusal(path, "b.a.org") is None


def test_new_names_of_a_domain(path: Path) -> None:
    for number in range(50):
        order(path, f"n{number}.a.org", NOW - DAY)
    assert "50 new certificates for a.org in 7 days" in str(refusal(path, "other.a.org"))
    assert refusal(path, "other.a.org", renewal=True) is None
    assert refusal(path, "other.b.org") is None


def test_renewals_do_not_count_for_the_domain(path: Path) -> None:
    for number in range(50):
        order(path, f"n{number}.a.org", NOW - DAY, renewal=True)
    assert refusal(path, "other.a.org") is None


def test_failed_validations(path: Path) -> None:
    for number in range(5):
        order(path, "a.org", NOW - 60 + number, "failed")
    assert refusal(path, "a.org") == (
        "5 failed validations of a.org in 1 h, the CA allows 5 until 3540"
    )
    assert refusal(path, "b.org", "a.org") is not None
    assert refusal(path, "a.org", at=NOW + HOUR) is None


def test_orders_of_the_account(path: Path) -> None:
    limits = replace(LETS_ENCRYPT, orders=Limit(20, 3 * HOUR))
    ledger = Ledger(path, "le", limits)
    for number in range(20):
        assert ledger.order((f"n{number}.org",), NOW - HOUR) is None
    assert "20 new orders in 3 h" in str(ledger.order(("new.org",), NOW))
    other = Ledger(path, "other", limits)
    assert other.order(("new.org",), NOW) is None, "it has another account"
    assert LETS_ENCRYPT.orders == Limit(300, 3 * HOUR)


def test_resolvers_share_the_limits_that_are_of_no_account(path: Path) -> None:
    for number in range(50):
        order(path, f"n{number}.a.org", NOW - DAY, resolver=("http", "tls")[number % 2])
    for resolver in ("http", "tls", "dns"):
        assert "50 new certificates for a.org" in str(
            refusal(path, "other.a.org", resolver=resolver)
        )
    for number in range(5):
        order(path, "b.org", NOW - DAY, resolver=f"r{number}")
    assert "5 certificates for exactly b.org" in str(refusal(path, "b.org"))
    for number in range(5):
        order(path, "c.org", NOW - number, "failed")
    assert "5 failed validations of c.org" in str(refusal(path, "c.org"))
    assert refusal(path, "c.org", resolver="other") is None, "each account has its own"


def test_the_last_one_goes_to_one_of_many(path: Path) -> None:
    """Whoever asks before may be refused when it comes to the order."""
    for number in range(45):
        order(path, f"n{number}.a.org", NOW - DAY)

    def try_it(number: int) -> bool:
        ledger = opened(path, f"r{number}")
        return ledger.order((f"new{number}.a.org",), NOW) is None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(20))) == 5


def test_orders_that_were_lost_are_no_certificates(path: Path) -> None:
    """A new order means that the one before was never finished."""
    for number in range(8):
        assert opened(path).order(("a.org",), NOW + number) is None
    ledger = opened(path)
    ledger.finish(("a.org",), "issued", NOW + 9)
    ledger.finish(("a.org",), "failed", NOW + 10)  # There is none under way.
    for number in range(4):
        order(path, "a.org", NOW + 20 + number)
    assert "5 certificates for exactly a.org" in str(refusal(path, "a.org", at=NOW + 30))
    order(path, "x.b.org", NOW, "made")
    for number in range(49):
        order(path, f"n{number}.b.org", NOW)
    assert "50 new certificates for b.org" in str(refusal(path, "y.b.org")), "one may still come"
    assert refusal(path, "x.b.org") is None, "it is asked without an order that could go on"


def test_what_counts_is_when_the_ca_has_seen_it(path: Path) -> None:
    """The proof of an order that waited for hours fails now."""
    ledger = opened(path)
    for _ in range(5):
        ledger.order(("a.org",), NOW - 2 * HOUR)
        ledger.finish(("a.org",), "failed", NOW - 60, ("a.org",))
    assert "5 failed validations of a.org in 1 h, the CA allows 5 until 3540" in str(
        refusal(path, "a.org")
    )


def test_old_orders_are_forgotten(path: Path) -> None:
    order(path, "a.org", NOW - 9 * DAY)
    order(path, "b.org", NOW)
    assert "a.org" not in path.read_text()


def test_a_damaged_ledger_is_set_aside(path: Path) -> None:
    path.write_text("{")
    assert refusal(path, "a.org") is None
    assert path.with_name("ledger.json.corrupt-1").exists()


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a.b.example.com", "example.com"),
        ("*.example.com", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.b.example.de", "example.de"),
    ],
)
def test_registered_domains(name: str, domain: str) -> None:
    assert registered_domain(name) == domain


def test_only_known_cas_have_limits() -> None:
    assert limits_of(CA) is LETS_ENCRYPT
    assert limits_of("https://127.0.0.1:14000/dir") is None
