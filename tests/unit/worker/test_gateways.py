"""Clients that all have the address of the container's gateway."""

import logging
from pathlib import Path
from typing import Any

import pytest

from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.worker.gateways import ENOUGH, GatewayWatch, own_gateways

ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth0	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	000013AC	00000000	0001	0	0	0	0000FFFF	0	0	0
"""
ROUTE6 = """\
fd000000000000010000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000010000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""  # noqa: E501
GATEWAY = "172.18.0.1"


def system(directory: Path, mark: str) -> Path:
    """Make the files of a system that tell of its network."""
    (directory / "proc/net").mkdir(parents=True)
    (directory / "proc/net/route").write_text(ROUTE)
    (directory / "proc/net/ipv6_route").write_text(ROUTE6)
    if mark:
        (directory / mark).parent.mkdir(exist_ok=True)
        (directory / mark).touch()
    return directory


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_the_gateways_of_a_container(tmp_path: Path, mark: str) -> None:
    assert own_gateways(system(tmp_path, mark)) == {GATEWAY, "fd00:0:0:1::1"}


def test_a_machine_has_no_such_gateways(tmp_path: Path) -> None:
    assert own_gateways(system(tmp_path, "")) == frozenset()


def test_a_container_without_a_network(tmp_path: Path) -> None:
    (tmp_path / ".dockerenv").touch()
    assert own_gateways(tmp_path) == frozenset()


def watched(*, expected: bool = False, **options: Any) -> EntryPoint:
    entrypoint = EntryPoint("web", options)
    GatewayWatch(frozenset({GATEWAY}), [entrypoint], lambda: expected)
    return entrypoint


def connect(entrypoint: EntryPoint, *ips: str) -> None:
    for ip in ips:
        if entrypoint.on_client is not None:
            entrypoint.on_client(ip)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_it_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    entrypoint = watched()
    connect(entrypoint, *[GATEWAY, "127.0.0.1", "::1", ""] * (ENOUGH - 1))
    assert warnings(caplog) == []
    connect(entrypoint, *[GATEWAY] * 300)
    (warning,) = warnings(caplog)
    assert "All clients have the address of this container's gateway" in warning
    assert entrypoint.on_client is None


@pytest.mark.parametrize("other", ["203.0.113.9", "172.18.0.9", "2001:db8::1", "fe80::1%eth0"])
def test_one_other_client_is_enough(caplog: pytest.LogCaptureFixture, other: str) -> None:
    entrypoint = watched()
    connect(entrypoint, *[GATEWAY] * 50, other, *[GATEWAY] * 300)
    assert warnings(caplog) == []
    assert entrypoint.on_client is None


@pytest.mark.parametrize(
    "options",
    [
        {"forwardedHeaders": {"trustedIPs": ["172.16.0.0/12"]}},
        {"forwardedHeaders": {"insecure": True}},
        {"proxyProtocol": {"trustedIPs": ["172.16.0.0/12"]}},
    ],
)
def test_a_proxy_in_front_is_expected(options: dict[str, Any]) -> None:
    assert watched(**options).on_client is None


def test_the_middleware_may_know_more(caplog: pytest.LogCaptureFixture) -> None:
    entrypoint = watched(expected=True)
    connect(entrypoint, *[GATEWAY] * 300)
    assert warnings(caplog) == []
    assert entrypoint.on_client is None


def test_without_gateways_nobody_looks() -> None:
    entrypoint = EntryPoint("web", {})
    GatewayWatch(frozenset(), [entrypoint], lambda: False)
    assert entrypoint.on_client is None
