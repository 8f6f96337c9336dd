"""ipAllowList and ipWhiteList."""

import pytest

from edgerouter.config.decode import decode
from edgerouter.middleware import ip_white_list
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.ip_allow_list import Options, build
from edgerouter.middleware.source_criterion import IPStrategy
from tests.unit.middleware.exchange import Seen, request

CONTEXT = BuildContext("allow@file")


async def status(options: Options, forwarded: str = "") -> int:
    headers = [(b"X-Forwarded-For", forwarded.encode())] if forwarded else []
    return (await build(options, CONTEXT)(Seen())(request(headers=headers))).status


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (("192.0.2.1",), 200),
        (("10.0.0.0/8", "192.0.2.0/24"), 200),
        (("10.0.0.0/8", "2001:db8::/32"), 403),
        (("0.0.0.0/0",), 200),
        (("::ffff:192.0.2.0/120",), 200),
        (("::ffff:192.0.3.0/120", "::/0"), 403),
    ],
)
async def test_the_peer(ranges: tuple[str, ...], expected: int) -> None:
    assert await status(Options(ranges)) == expected


@pytest.mark.parametrize(
    ("strategy", "forwarded", "expected"),
    [
        (IPStrategy(depth=1), "10.0.0.1, 192.0.2.9", 200),
        (IPStrategy(depth=2), "10.0.0.1, 192.0.2.9", 403),
        (IPStrategy(depth=3), "10.0.0.1, 192.0.2.9", 403),
        (IPStrategy(excluded_ips=("10.0.0.0/8",)), "192.0.2.9, 10.0.0.1", 200),
        (IPStrategy(excluded_ips=("10.0.0.0/8",)), "10.0.0.1", 403),
        (IPStrategy(depth=1), "nonsense", 403),
        (IPStrategy(depth=1), "10.0.0.1, 192.0.2.9:1234", 200),
        (IPStrategy(depth=1), "[192.0.2.9]:1234", 200),
        (IPStrategy(depth=1), "[192.0.2.9]", 403),
    ],
)
async def test_forwarded_addresses(strategy: IPStrategy, forwarded: str, expected: int) -> None:
    assert await status(Options(("192.0.2.0/24",), strategy), forwarded) == expected


async def test_the_refusal() -> None:
    sent = request()
    response = await build(Options(("10.0.0.1",), None, 404), CONTEXT)(Seen())(sent)
    assert (response.status, response.body.ready()) == (404, b"Not Found")
    assert "192.0.2.1" in sent.exchange.error


@pytest.mark.parametrize(
    ("ranges", "strategy", "forwarded"),
    [
        (("192.0.2.1",), None, ""),
        (("10.0.0.1",), None, ""),
        (("10.0.0.1",), None, "10.0.0.1"),
        (("10.0.0.0/8",), IPStrategy(depth=1), "192.0.2.9, 10.0.0.1"),
        (("10.0.0.0/8",), IPStrategy(depth=2), "192.0.2.9, 10.0.0.1"),
        (("192.0.2.9",), IPStrategy(excluded_ips=("10.0.0.0/8",)), "192.0.2.9, 10.0.0.1"),
    ],
)
async def test_the_old_name_does_the_same(
    ranges: tuple[str, ...], strategy: IPStrategy | None, forwarded: str
) -> None:
    old = ip_white_list.build(ip_white_list.Options(ranges, strategy), CONTEXT)
    headers = [(b"X-Forwarded-For", forwarded.encode())] if forwarded else []
    sent = request(headers=headers)
    response = await old(Seen())(sent)
    assert response.status == await status(Options(ranges, strategy), forwarded)
    if response.status == 403:
        assert response.body.ready() == b"Forbidden"
        assert "is in no range" in sent.exchange.error


def test_the_old_name_has_the_same_mistakes() -> None:
    for options, words in (
        (ip_white_list.Options(()), "sourceRange: is empty"),
        (ip_white_list.Options(("ten",)), "sourceRange"),
        (ip_white_list.Options(("10.0.0.1",), IPStrategy(ipv6_subnet=129)), "ipv6Subnet"),
    ):
        with pytest.raises(BuildError, match=words):
            ip_white_list.build(options, CONTEXT)
    assert decode(ip_white_list.Options, {"rejectStatusCode": 404}).problems


@pytest.mark.parametrize("code", [100, 101, 199, 999, -1])
def test_what_is_no_status_of_a_refusal(code: int) -> None:
    with pytest.raises(BuildError, match=f"rejectStatusCode: {code} is not an HTTP status"):
        build(Options(("10.0.0.1",), None, code), CONTEXT)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "sourceRange: is empty"),
        (Options(("10.0.0.0/33",)), "sourceRange: '10.0.0.0/33'"),
        (Options(("10.0.0.1",), IPStrategy(excluded_ips=("x",))), "ipStrategy.excludedIPs"),
        (Options(("10.0.0.1",), None, 999), "rejectStatusCode: 999"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(options, CONTEXT)
