import signal
from dataclasses import replace

import pytest

from edgerouter_docker.fence import KILL_MARGIN, LINGER, Fences, is_ending
from edgerouter_docker.inventory import Attachment, Container

API = Container("api", "api", stop_timeout=10, started_at="1")
URLS = frozenset({"http://10.0.0.2:80"})
SERVERS = {"api": URLS}


@pytest.mark.parametrize(
    ("stop_signal", "sent", "ends"),
    [
        ("SIGTERM", signal.SIGTERM, True),
        ("SIGTERM", signal.SIGKILL, True),
        ("SIGTERM", signal.SIGINT, True),
        ("SIGTERM", signal.SIGQUIT, True),
        ("SIGTERM", signal.SIGHUP, False),
        ("SIGTERM", signal.SIGUSR1, False),
        ("SIGQUIT", signal.SIGTERM, False),
        ("SIGUSR1", signal.SIGUSR1, True),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3, True),
        ("15", signal.SIGTERM, True),
        ("nonsense", signal.SIGTERM, True),
        ("SIGTERM", 0, False),
    ],
)
def test_which_signals_end_a_container(stop_signal: str, sent: int, ends: bool) -> None:
    assert is_ending(replace(API, stop_signal=stop_signal), sent) is ends


def test_a_killed_container_that_lives_on_is_let_in_again() -> None:
    fences = Fences()
    fences.killed(API, URLS, now=100)
    assert fences.urls(SERVERS) == URLS
    fences.seen(API)  # Looked at meanwhile: still running, as it may be.
    assert fences.urls(SERVERS) == URLS
    assert fences.next_deadline == 100 + 10 + KILL_MARGIN
    fences.expire(100 + 10 + KILL_MARGIN)
    assert fences.urls(SERVERS) == frozenset()
    assert fences.next_deadline is None


def test_a_second_signal_does_not_shorten_the_time() -> None:
    fences = Fences()
    fences.killed(replace(API, stop_timeout=60), URLS, now=0)
    fences.killed(replace(API, stop_timeout=1), URLS, now=1)
    assert fences.next_deadline == 60 + KILL_MARGIN


def test_a_dead_container_stays_fenced_until_tables_have_arrived() -> None:
    fences = Fences()
    fences.killed(API, URLS, now=0)
    fences.gone(API, URLS, now=1)
    fences.seen(replace(API, status="exited"))
    fences.gone(API, (), now=2)  # A second event; its URLs are forgotten by then.
    assert fences.urls({}) == URLS
    fences.expire(2 + LINGER)
    assert fences.urls({}) == frozenset()


def test_a_late_kill_does_not_bring_a_dead_one_back() -> None:
    fences = Fences()
    fences.gone(API, URLS, now=0)
    fences.killed(replace(API, stop_timeout=0), (), now=0)
    fences.expire(LINGER - 1)
    assert fences.urls({}) == URLS


def test_a_restarted_container_is_let_in() -> None:
    fences = Fences()
    fences.gone(API, URLS, now=0)
    fences.seen(replace(API, started_at="2"))
    assert fences.urls(SERVERS) == frozenset()
    fences.killed(API, URLS, now=0)
    fences.seen(replace(API, started_at="3"))
    assert fences.urls(SERVERS) == frozenset()


def test_a_container_that_leaves_a_network_is_fenced_until_it_has_been_looked_at() -> None:
    networks = {"front": Attachment("f1", "10.0.0.2"), "back": Attachment("b1", "10.0.1.2")}
    api = replace(API, networks=networks)
    fences = Fences()
    fences.cut_off(api, "b1", URLS, now=0)
    assert fences.urls(SERVERS) == frozenset(), "it is not asked there"
    fences.cut_off(api, "f1", {*URLS, "http://10.0.1.2:80"}, now=0)
    assert fences.urls(SERVERS) == URLS
    fences.seen(api)
    assert fences.urls(SERVERS) == frozenset()


def test_a_killed_container_that_leaves_its_network_stays_fenced() -> None:
    api = replace(API, networks={"front": Attachment("f1", "10.0.0.2")})
    fences = Fences()
    fences.killed(api, URLS, now=0)
    fences.cut_off(api, "f1", URLS, now=0)
    fences.seen(api)
    assert fences.urls(SERVERS) == URLS


def test_an_address_taken_over_by_a_living_container_is_not_fenced() -> None:
    fences = Fences()
    fences.gone(API, URLS, now=0)
    assert fences.urls({"api": URLS, "next": URLS}) == frozenset()
