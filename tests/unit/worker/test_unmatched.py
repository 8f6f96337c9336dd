"""What is said of requests that match nothing: soon, and never without end."""

import logging

import pytest

from edgerouter.worker.unmatched import (
    BURST,
    EXPLANATIONS_PER_SECOND,
    LINES_PER_SECOND,
    MOST_REMEMBERED,
    REPEAT,
    Unmatched,
)
from tests.unit.middleware.exchange import request


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self._caplog = caplog
        self.clock = Clock()
        self.unmatched = Unmatched(self.clock)

    def ask(self, host: str, after: float = 1.0) -> str:
        self.clock.now += after
        return self.unmatched.report(request(authority=host))

    @property
    def lines(self) -> list[dict[str, object]]:
        return [record.__dict__["fields"] for record in self._caplog.records]


@pytest.fixture
def site(caplog: pytest.LogCaptureFixture) -> Site:
    return Site(caplog)


def test_the_first_is_said_at_once_with_the_reason(site: Site) -> None:
    assert site.ask("a", after=0) == "no router of entry point web comes near"
    (line,) = site.lines
    assert (line["host"], line["nearest"]) == ("a", "no router of entry point web comes near")
    assert "notLogged" not in line


def test_the_same_again_is_counted_and_said_later(site: Site) -> None:
    for _ in range(4):
        assert site.ask("a")
    assert len(site.lines) == 1
    site.ask("a", after=REPEAT)
    assert [line.get("notLogged") for line in site.lines] == [None, 3]


def test_another_host_is_news(site: Site) -> None:
    site.ask("a")
    site.ask("b")
    assert [line["host"] for line in site.lines] == ["a", "b"]


def test_another_reason_is_news(site: Site) -> None:
    site.ask("a")
    site.unmatched.explain = lambda _: "changed"  # type: ignore[method-assign]
    site.ask("a")
    assert [line["nearest"] for line in site.lines][1] == "changed"


def test_a_scan_of_many_hosts_fills_no_disk(site: Site) -> None:
    seconds = 600
    for number in range(seconds):
        site.ask(f"host-{number}")
    assert len(site.lines) <= BURST + seconds * LINES_PER_SECOND + 1
    assert len(site.lines) >= BURST


def test_what_is_remembered_is_bounded(site: Site) -> None:
    for number in range(MOST_REMEMBERED + 10):
        site.ask(f"host-{number}", after=1 / LINES_PER_SECOND)
    assert len(site.lines) == MOST_REMEMBERED + 10
    assert len(site.unmatched._said) <= MOST_REMEMBERED


def test_explanations_are_rationed(site: Site) -> None:
    most = int(EXPLANATIONS_PER_SECOND)
    reasons = [site.ask("a", after=0) for _ in range(most + 3)]
    assert all(reasons[:most])
    assert not any(reasons[most:])
