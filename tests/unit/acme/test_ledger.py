"""The CA's limits hold over restarts."""

from pathlib import Path

import pytest

from edgerouter.acme.ledger import (
    DAY,
    HOUR,
    LETS_ENCRYPT,
    Failure,
    Ledger,
    limits_of,
    registered_domain,
)

CA = "https://acme-v02.api.letsencrypt.org/directory"
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.json"


def refusal(path: Path, *names: str, at: float = NOW, renewal: bool = False) -> str | None:
    """What a ledger that has just been opened says."""
    found = Ledger(path).refusal(LETS_ENCRYPT, CA, names, at, renewal=renewal)
    return found and f"{found.reason} until {found.until - NOW:g}"


def order(path: Path, name: str, at: float, outcome: str = "issued", **options: bool) -> None:
    ledger = Ledger(path)
    ledger.ordered(CA, (name,), at, **options)
    failed = (name,) if outcome == "failed" else ()
    ledger.finished(CA, (name,), outcome, failed)  # type: ignore[arg-type]


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
    ledger = Ledger(path)
    for number in range(300):
        ledger.ordered(CA, (f"n{number}.org",), NOW - HOUR)
    assert "300 new orders in 3 h" in str(refusal(path, "new.org"))
    assert ledger.refusal(LETS_ENCRYPT, "https://other", ("new.org",), NOW) is None


def test_old_orders_are_forgotten(path: Path) -> None:
    order(path, "a.org", NOW - 9 * DAY)
    order(path, "b.org", NOW)
    assert "a.org" not in path.read_text()


def test_failures(path: Path) -> None:
    failure = Failure(3, NOW, "why")
    Ledger(path).set_failure(("b", "a"), failure)
    assert Ledger(path).failure(("a", "b")) == failure
    assert Ledger(path).failure(("a",)) is None
    Ledger(path).set_failure(("a", "b"), None)
    assert Ledger(path).failure(("a", "b")) is None


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
