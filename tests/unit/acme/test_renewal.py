"""When certificates are renewed and failures tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from edgerouter.acme.keys import Facts, facts_of
from edgerouter.acme.renewal import (
    certificate_identifier,
    latest_time,
    next_enquiry,
    renewal_time,
    retry_delay,
    spread,
    suggested_time,
    traefik_renewal_time,
)
from tests.support.certificates import make_certificate

START = datetime(2026, 1, 1, tzinfo=UTC)


def facts(days: float, serial: str = "1") -> Facts:
    return Facts(("a",), START, START + timedelta(days=days), serial, "")


@pytest.mark.parametrize("days", [90, 45, 6])
def test_by_age_at_two_thirds_and_spread(days: float) -> None:
    times = [(renewal_time(facts(days, str(n))) - START) / timedelta(days=days) for n in range(100)]
    assert all(2 / 3 - 1 / 30 <= each <= 2 / 3 for each in times)
    assert max(times) - min(times) > 1 / 60
    assert renewal_time(facts(days)) == renewal_time(facts(days)), "the same after a restart"


@pytest.mark.parametrize(
    ("hours", "before"),
    [
        (8760, timedelta(days=120)),
        (2160, timedelta(days=30)),
        (2159, timedelta(days=10)),
        (720, timedelta(days=10)),
        (160, timedelta(days=2)),
        (24, timedelta(hours=6)),
        (23, timedelta(minutes=20)),
    ],
)
def test_as_traefik_by_the_option(hours: int, before: timedelta) -> None:
    assert traefik_renewal_time(facts(90), hours) == facts(90).not_after - before


def test_the_schedule_of_retries() -> None:
    minutes = [retry_delay(failures) / 60 for failures in range(1, 40)]
    assert minutes[:5] == [1, 2, 2, 5, 10]
    assert minutes == sorted(minutes)
    assert minutes[-1] == 360


def test_pauses_are_spread_and_never_shorter() -> None:
    pauses = {spread(100) for _ in range(100)}
    assert len(pauses) > 90
    assert all(100 <= pause <= 120 for pause in pauses)


@pytest.mark.parametrize("days", [90, 45, 6])
def test_the_latest_time_leaves_some_for_failures(days: float) -> None:
    left = facts(days).not_after - latest_time(facts(days))
    assert left / timedelta(days=days) == pytest.approx(0.1)
    assert latest_time(facts(days)) > renewal_time(facts(days))


def test_a_time_in_the_window() -> None:
    window = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
    information = {"suggestedWindow": window}
    times = {suggested_time(information, str(serial)) for serial in range(50)}
    assert len(times) == 50
    assert all(START + timedelta(days=1) <= time <= START + timedelta(days=2) for time in times)
    assert suggested_time(information, "1") == suggested_time(information, "1")


@pytest.mark.parametrize(
    "information",
    [
        {},
        {"suggestedWindow": None},
        {"suggestedWindow": {"start": "2026-01-02T00:00:00Z"}},
        {"suggestedWindow": {"start": "soon", "end": "later"}},
        {"suggestedWindow": {"start": "2026-01-03T00:00:00Z", "end": "2026-01-02T00:00:00Z"}},
    ],
)
def test_no_sensible_window(information: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"renewal information|Invalid isoformat"):
        suggested_time(information, "1")


def test_when_the_ca_is_asked_again() -> None:
    assert next_enquiry(START, None) == START + timedelta(hours=6)
    assert next_enquiry(START, 3600) == START + timedelta(hours=1)
    assert next_enquiry(START, 0) == START + timedelta(minutes=1)
    assert next_enquiry(START, 1e7) == START + timedelta(days=1)


def test_the_identifier_of_the_rfc() -> None:
    """RFC 9773, section 4.1: key identifier 69:88:5B:..., serial 00:87:65:43:21."""
    issuer = bytes.fromhex("69885B6B8746410431B37B847BA3AE2CDEE9A1 04".replace(" ", ""))
    issued = make_certificate(["a"], serial=0x87654321, issuer_key=issuer)
    identifier = certificate_identifier(issued.chain)
    assert identifier is not None
    assert identifier.endswith(".AIdlQyE")
    assert identifier.startswith("aYhba4dG")
    assert certificate_identifier(make_certificate(["a"], issuer_key=None).chain) is None


def test_facts() -> None:
    issued = make_certificate(["A.org", "127.0.0.1"], start=START, days=1, serial=255)
    found = facts_of(issued.chain)
    assert found.names == ("a.org", "127.0.0.1")
    assert (found.not_before, found.not_after) == (START, START + timedelta(days=1))
    assert found.serial == "ff"
