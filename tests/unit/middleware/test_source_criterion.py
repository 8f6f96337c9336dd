"""Sources: peer, X-Forwarded-For, header, host."""

from typing import Any

import pytest

from edgerouter.http.message import Peer
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.source_criterion import (
    BY_HOST,
    IPStrategy,
    SourceCriterion,
    client_address,
    contains,
    networks,
    source_of,
)
from tests.unit.middleware.exchange import request

FORWARDED = b"10.0.0.1, 11.0.0.1 ,12.0.0.1"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({}, "192.0.2.1"),
        ({"depth": 1}, "12.0.0.1"),
        ({"depth": 3}, "10.0.0.1"),
        ({"depth": 4}, ""),
        ({"excluded_ips": ("12.0.0.1",)}, "11.0.0.1"),
        ({"excluded_ips": ("11.0.0.0/8", "12.0.0.1")}, "10.0.0.1"),
        ({"excluded_ips": ("0.0.0.0/0",)}, ""),
        ({"depth": 2, "excluded_ips": ("11.0.0.1",)}, "11.0.0.1"),
    ],
)
def test_addresses(strategy: Any, expected: str) -> None:
    sent = request(headers=[(b"X-Forwarded-For", FORWARDED)])
    assert client_address(IPStrategy(**strategy))(sent) == expected


@pytest.mark.parametrize(
    ("address", "bits", "expected"),
    [
        ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::"),
        ("2001:db8:1:2:3::4", 128, "2001:db8:1:2:3::4"),
        ("192.0.2.7", 64, "192.0.2.7"),
        ("::ffff:192.0.2.7", 64, "::ffff:192.0.2.7"),
        ("no address", 64, "no address"),
    ],
)
def test_networks_of_ipv6(address: str, bits: int, expected: str) -> None:
    sent = request(headers=[(b"X-Forwarded-For", address.encode())])
    assert client_address(IPStrategy(depth=1, ipv6_subnet=bits))(sent) == expected
    sent.peer = Peer(address, 1, "web")
    assert client_address(IPStrategy(ipv6_subnet=bits))(sent) == expected


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (None, b"192.0.2.1"),
        (SourceCriterion(), b"192.0.2.1"),
        (SourceCriterion(request_host=True), b"example.com:8080"),
        (SourceCriterion(request_header_name="x-key"), b"one"),
        (SourceCriterion(request_header_name="Host"), b""),
        (SourceCriterion(request_header_name="X-None"), b""),
        (SourceCriterion(ip_strategy=IPStrategy(depth=1)), b""),
    ],
)
def test_sources(criterion: SourceCriterion | None, expected: bytes) -> None:
    sent = request(authority="example.com:8080", headers=[(b"X-Key", b"one"), (b"X-Key", b"two")])
    assert source_of(criterion)(sent) == expected


def test_a_header_that_is_none() -> None:
    with pytest.raises(BuildError, match="requestHeaderName: 'X Key' is no header name"):
        source_of(SourceCriterion(request_header_name="X Key"))


def test_the_default_is_the_middlewares() -> None:
    assert source_of(None, BY_HOST)(request()) == b"example.com"
    assert source_of(SourceCriterion(), BY_HOST)(request()) == b"example.com"


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (SourceCriterion(IPStrategy(), "X"), "ipStrategy and requestHeaderName"),
        (SourceCriterion(IPStrategy(), request_host=True), "ipStrategy and requestHost"),
        (SourceCriterion(None, "X", True), "requestHeaderName and requestHost"),
        (SourceCriterion(IPStrategy(ipv6_subnet=0)), "ipv6Subnet: 0 is not between 1 and 128"),
        (SourceCriterion(IPStrategy(ipv6_subnet=129)), "ipv6Subnet: 129"),
        (SourceCriterion(IPStrategy(excluded_ips=("300.0.0.1",))), "excludedIPs.*300.0.0.1"),
    ],
)
def test_mistakes(criterion: SourceCriterion, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        source_of(criterion)


def test_pools() -> None:
    pool = networks(["10.0.0.0/8", "2001:db8::/32"], "x")
    assert contains(pool, "10.1.2.3")
    assert contains(pool, "::ffff:10.1.2.3")
    assert contains(pool, "2001:db8::1%eth0")
    assert not contains(pool, "11.0.0.1")
    assert not contains(pool, "nonsense")
