"""realIp and the lists of proxies."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from edgerouter.http.message import Peer, Request
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.proxy_ranges import TrustedProxies, shipped
from edgerouter.middleware.real_ip import Options, build
from edgerouter.middleware.source_criterion import source_of
from tests.unit.middleware.exchange import Seen, request


async def resolved(options: Options, peer: str, **headers: str) -> Request:
    seen = Seen()
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    sent = request(headers=pairs)
    sent.peer = Peer(peer, 1, "web", trusted=True)
    await build(options, BuildContext("real@file"))(seen)(sent)
    assert seen.request is not None
    assert sent.peer.ip == peer
    return seen.request


CLOUDFLARE = Options(("cloudflare",))


@pytest.mark.parametrize("name", ["cloudflare", "Cloudflare", " CLOUDFLARE "])
async def test_a_header_of_a_trusted_proxy(name: str) -> None:
    made = await resolved(
        Options((name,)), "104.16.1.1", CF_Connecting_IP="203.0.113.9", X_Real_Ip="104.16.1.1"
    )
    assert made.peer.ip == "203.0.113.9"
    assert made.peer.ip_bytes == made.peer.hop == b"203.0.113.9"
    assert made.peer.trusted
    assert made.headers.all(b"x-real-ip") == [b"203.0.113.9"]
    assert made.exchange.client == "203.0.113.9"
    assert source_of(None)(made) == b"203.0.113.9"


@pytest.mark.parametrize(
    "value", ["", "nonsense", "[nonsense]:80", "203.0.113.9:", "203.0.113:80", "2001:db8::1:x"]
)
async def test_nothing_to_believe(value: str) -> None:
    made = await resolved(CLOUDFLARE, "104.16.1.1", CF_Connecting_IP=value)
    assert made.peer.ip == "104.16.1.1"
    assert made.exchange.client == ""


async def test_others_are_not_believed() -> None:
    made = await resolved(CLOUDFLARE, "198.51.100.1", CF_Connecting_IP="203.0.113.9")
    assert made.peer.ip == "198.51.100.1"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("x, 10.0.0.7", "10.0.0.7"),
        ("2001:db8::1, fe80::1", "2001:db8::1"),
        ("1.1.1.1, 203.0.113.9:80, 10.0.0.7:1234", "203.0.113.9"),
        ("[2001:db8::1]:80, [fe80::1]", "2001:db8::1"),
        ('2001:db8::1%e"th0', "2001:db8::1"),
    ],
)
async def test_the_last_address_that_is_no_proxy(chain: str, client: str) -> None:
    made = await resolved(Options(), "10.0.0.1", X_Forwarded_For=chain)
    assert made.peer.ip == client
    assert source_of(None)(made) == made.peer.ip_bytes == client.encode()
    assert made.peer.hop == b"10.0.0.1"  # What is appended to the chain stays true.


def test_shipped_lists_are_networks() -> None:
    for name, entry in shipped().items():
        assert len([ip_network(network) for network in entry["networks"]]) >= 9, name
    assert "2606:4700::1" in TrustedProxies(["Cloudflare"])._addresses


def test_files_are_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ranges"
    path.write_text("# mine\n192.0.2.0/24 # office\n\n")
    now = 0.0
    proxies = TrustedProxies([str(path), "10.0.0.0/8"], lambda: now)
    assert proxies.holds("192.0.2.7")
    path.write_text("198.51.100.0/24\n")
    os.utime(path, ns=(1, 1))
    assert proxies.holds("192.0.2.7")
    now = 10.0
    assert [proxies.holds(ip) for ip in ("192.0.2.7", "198.51.100.7", "10.1.1.1")] == [
        False,
        True,
        True,
    ]
    for moment, (text, words) in enumerate(
        (("nonsense\n", "nonsense"), ("# none\n", "holds no network")), 2
    ):
        path.write_text(text)
        os.utime(path, ns=(moment, moment))
        now = 10.0 * moment
        assert proxies.holds("198.51.100.7")
        assert words in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(("cloudfare",)), "'cloudfare' is not known; write cloudflare"),
        (Options(("10.0.0.0/99",)), "trusted"),
        (Options(("/nowhere/x",)), "/nowhere/x"),
        (Options(("/dev/null",)), "/dev/null"),
        (Options(header="a b"), "header"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(options, BuildContext("real@file"))
