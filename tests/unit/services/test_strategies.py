from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.message import Peer, Request
from edgerouter.services.rendezvous import Rendezvous, fnv1, fnv1a
from edgerouter.services.server import Server
from edgerouter.services.strategies import (
    SAMPLES,
    ByHeader,
    Chooser,
    LeastTime,
    chooser_of,
    note_time,
)
from tests.unit.middleware.exchange import request
from tests.unit.services.fakes import Upstream, servers


def made(
    strategy: str, count: int = 3, weights: tuple[int, ...] = (), **options: object
) -> tuple[Chooser, list[Server]]:
    found = servers([Upstream() for _ in range(count)], weights)
    chooser = chooser_of(strategy, found, options)
    assert chooser is not None
    return chooser, found


def from_(ip: str, *headers: tuple[bytes, bytes]) -> Request:
    asked = request(headers=headers)
    asked.peer = Peer(ip, 1, "web")
    return asked


def chosen(chooser: Chooser, count: int, excluded: tuple[Server, ...] = ()) -> list[str]:
    found = [chooser.choose(request(), excluded) for _ in range(count)]
    return [server.url for server in found if server is not None]


ALL = ["p2c", "hrw", "leasttime", "leastconn", "iphash", "headerhash"]


def test_taking_turns_needs_no_chooser() -> None:
    assert chooser_of("wrr", [], {}) is None


def test_unknown_strategies_are_refused() -> None:
    with pytest.raises(ValueError, match="magic"):
        chooser_of("magic", [], {})


@pytest.mark.parametrize("strategy", ALL)
def test_the_excluded_are_never_chosen(strategy: str) -> None:
    chooser, found = made(strategy, hashHeader="X-User")
    assert set(chosen(chooser, 20, (found[0], found[2]))) == {"http://s1"}
    assert chooser.choose(request(), found) is None
    empty, _ = made(strategy, 0, hashHeader="X-User")
    assert empty.choose(request(), ()) is None


@pytest.mark.parametrize("strategy", ALL)
def test_weight_zero_is_never_chosen(strategy: str) -> None:
    chooser, _ = made(strategy, weights=(0, 1, -1), hashHeader="X-User")
    assert set(chosen(chooser, 10)) == {"http://s1"}


def test_p2c_prefers_who_has_less_to_do() -> None:
    chooser, found = made("p2c", 2)
    found[0].state.active = 5
    assert set(chosen(chooser, 20)) == {"http://s1"}


def test_p2c_minds_weights() -> None:
    chooser, found = made("p2c", 3, (1, 2, 5))
    counts = Counter(chosen(chooser, 4000))
    assert counts["http://s0"] < counts["http://s1"] < counts["http://s2"]
    for server, active in zip(found, (1, 1, 3), strict=True):
        server.state.active = active  # By weight s1 has the least to do, s0 the most.
    counts = Counter(chosen(chooser, 4000))
    assert counts["http://s0"] == 0
    assert counts["http://s1"] > counts["http://s2"] > 0


def test_p2c_with_equal_weights_is_fair() -> None:
    chooser, _ = made("p2c", 5)
    counts = Counter(chosen(chooser, 5000))
    assert all(800 < count < 1200 for count in counts.values())


@pytest.mark.parametrize("strategy", ["p2c", "leasttime", "leastconn"])
def test_loads_stay_even(strategy: str) -> None:
    """Requests that stay under way: nobody has much more of them than others."""
    chooser, found = made(strategy, 10)
    for server in found:
        note_time(server.state, 0.010)
    for _ in range(1000):
        server = chooser.choose(request(), ())
        assert server is not None
        server.state.active += 1
    loads = [server.state.active for server in found]
    assert max(loads) - min(loads) <= (1 if strategy != "p2c" else 20)


@pytest.mark.parametrize("strategy", ["leasttime", "leastconn"])
def test_who_comes_back_does_not_catch_up(strategy: str) -> None:
    chooser, found = made(strategy, 3)
    away = frozenset(found[:1])
    for _ in range(1000):
        assert chooser.choose(request(), away) is not found[0]
    counts = Counter(chosen(chooser, 30))
    assert all(9 <= count <= 11 for count in counts.values())


@pytest.mark.parametrize("strategy", ALL)
def test_servers_that_are_left_are_looked_at_anew(strategy: str) -> None:
    chooser, found = made(strategy, 3, hashHeader="X-User")
    for server in found:
        others = frozenset(found) - {server}
        assert set(chosen(chooser, 5, others)) == {server.url}  # type: ignore[arg-type]


def test_least_connections_by_weight() -> None:
    chooser, found = made("leastconn", 3, (1, 4, 1))
    for server, active in zip(found, (2, 7, 3), strict=True):
        server.state.active = active
    assert chosen(chooser, 1) == ["http://s1"]
    found[1].state.active = 9
    assert chosen(chooser, 1) == ["http://s0"]


def test_least_time() -> None:
    chooser, found = made("leasttime", 2)
    note_time(found[0].state, 0.010)
    note_time(found[1].state, 0.030)
    assert set(chosen(chooser, 5)) == {"http://s0"}
    found[0].state.active = 5
    assert set(chosen(chooser, 5)) == {"http://s1"}


def test_least_time_is_told_in_whole_milliseconds() -> None:
    chooser, found = made("leasttime", 2)
    note_time(found[0].state, 0.0009)
    note_time(found[1].state, 0.0001)
    assert abs(Counter(chosen(chooser, 100))["http://s0"] - 50) <= 1


def test_equal_scores_take_turns_by_weight() -> None:
    chooser, _ = made("leasttime", 2, (3, 1))
    assert Counter(chosen(chooser, 40)) == {"http://s0": 30, "http://s1": 10}


def test_least_time_forgets() -> None:
    (server,) = servers([Upstream()])
    for _ in range(SAMPLES):
        note_time(server.state, 1.0)
    for _ in range(SAMPLES):
        note_time(server.state, 0.002)
    assert LeastTime([server]).scores([server.state]) == [2.0]


def test_a_client_stays_and_only_the_lost_move() -> None:
    chooser, found = made("hrw", 5)
    clients = [f"192.0.2.{number}" for number in range(100)]
    before = {ip: chooser.choose(from_(ip), ()) for ip in clients}
    assert len(set(before.values())) == 5
    after = {ip: chooser.choose(from_(ip), (found[3],)) for ip in clients}
    assert all(after[ip] is before[ip] for ip in clients if before[ip] is not found[3])


def test_ip_hash_keeps_networks_together() -> None:
    chooser, _ = made("iphash", 10)
    assert len({chooser.choose(from_(f"192.0.2.{n}"), ()) for n in range(20)}) == 1
    assert len({chooser.choose(from_(f"192.0.{n}.1"), ()) for n in range(50)}) > 5
    assert len({chooser.choose(from_(f"2001:db8::{n}"), ()) for n in range(50)}) > 5


def test_header_hash() -> None:
    chooser, _ = made("headerhash", 10, hashHeader="X-User")
    users = {chooser.choose(from_(f"192.0.2.{n}", (b"x-user", b"ann")), ()) for n in range(20)}
    assert len(users) == 1
    assert len({chooser.choose(from_(f"192.0.2.{n}"), ()) for n in range(50)}) > 5


def test_long_header_values_cost_no_long_hash() -> None:
    """FNV runs in Python: a megabyte of header would hold up everybody else."""
    chooser, _ = made("headerhash", 10, hashHeader="X-User")
    assert isinstance(chooser, ByHeader)
    keys = [chooser.key(from_("192.0.2.1", (b"x-user", user * 500_000))) for user in (b"a", b"b")]
    assert keys[0] != keys[1]
    assert {len(key) for key in keys} == {64}


def test_hashes_of_known_text() -> None:
    """The published test vectors of FNV, 64 bits."""
    assert (fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")) == (
        0xCBF29CE484222325,
        0xAF63DC4C8601EC8C,
        0x85944171F73967E8,
    )
    assert (fnv1(b"a"), fnv1(b"foobar")) == (0xAF63BD4C8601B7BE, 0x340D8765A4DDA9C2)


@given(st.lists(st.text(max_size=40), max_size=20, unique=True), st.text(max_size=10))
def test_names_that_are_hashed_together_rank_as_one_by_one(names: list[str], key: str) -> None:
    def score(name: str) -> float:
        return fnv1a((key + name).encode("utf-8", "surrogateescape")) / 2.0**64

    ranking = Rendezvous([(name, 1, name) for name in names])
    assert list(ranking.ranked(key)) == sorted(names, key=score, reverse=True)


def test_shares_follow_weights() -> None:
    urls = [f"http://10.0.0.{number}:8080" for number in range(3)]
    ranking = Rendezvous([(url, weight, url) for url, weight in zip(urls, (0, 1, 3), strict=True)])
    counts = Counter(ranking.ranked(f"192.0.{n // 250}.{n % 250}")[0] for n in range(4000))
    assert set(counts) == set(urls[1:])
    assert 2700 < counts[urls[2]] < 3300
