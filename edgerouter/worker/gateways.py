"""Whether Docker hides clients: then all have the address of the container's gateway.

That is so where its userland proxy passes connections on (IPv6 clients of a network
without IPv6, Docker Desktop, rootless engines) and where addresses are translated twice.
Rules, limits, lists and logs then know one client only, and nobody sees why.
"""

import logging
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from edgerouter.observability.logs import fields
from edgerouter.proxy.entrypoint import EntryPoint

ENOUGH = 100
"""So many connections in a row from the gateway are no coincidence."""
_OF_CONTAINERS = ("/.dockerenv", "/run/.containerenv")
"""What Docker and Podman put into every container."""

log = logging.getLogger(__name__)


def own_gateways(root: Path = Path("/")) -> frozenset[str]:
    """Return the addresses of this container's gateways, none outside of a container."""
    if not any((root / mark.removeprefix("/")).exists() for mark in _OF_CONTAINERS):
        return frozenset()
    found = set()
    for _, target, gateway, *_ in _lines(root / "proc/net/route"):
        if target == "00000000" and gateway != "00000000":
            found.add(socket.inet_ntoa(struct.pack("=L", int(gateway, 16))))
    for target, prefix, _, _, gateway, *_ in _lines(root / "proc/net/ipv6_route"):
        if not int(target + prefix, 16) and int(gateway, 16):
            found.add(str(IPv6Address(int(gateway, 16))))
    return frozenset(found)


def _lines(path: Path) -> list[list[str]]:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return []
    return [line for line in lines if len(line) > 7 and line[0] != "Iface"]


class GatewayWatch:
    """Looks at the addresses of clients until it is clear whether Docker hides them."""

    def __init__(
        self,
        gateways: frozenset[str],
        entrypoints: Iterable[EntryPoint],
        is_expected: Callable[[], bool],
    ) -> None:
        """Watch the entry points where a gateway would be taken for a client.

        ``is_expected`` tells whether the configuration knows of something in front.
        """
        self._gateways = gateways
        self._is_expected = is_expected
        self._seen = 0
        self._watched = [
            entrypoint
            for entrypoint in entrypoints
            if entrypoint.proxy_protocol is None
            and not any(gateway in entrypoint.forwarded.trusted for gateway in gateways)
        ]
        if gateways:
            for entrypoint in self._watched:
                entrypoint.on_client = self._saw

    def _saw(self, ip: str) -> None:
        if ip in self._gateways:
            self._seen += 1
            if self._seen < ENOUGH:
                return
            if not self._is_expected():
                self._warn(ip)
        elif not ip or ip_address(ip.partition("%")[0]).is_loopback:
            return  # A health check from inside says nothing.
        for entrypoint in self._watched:
            entrypoint.on_client = None

    def _warn(self, ip: str) -> None:
        log.warning(
            "All clients have the address of this container's gateway: Docker hides who they are,"
            " and limits, address lists, ClientIP rules and logs take them for one. Give the"
            " network IPv6 (enable_ipv6) if it has none, publish ports with mode: host in Swarm,"
            " or use network_mode: host; if a proxy of yours is in front, name its address in"
            " forwardedHeaders.trustedIPs or edgerouter.realIp.trusted. docs/operations.md,"
            ' "The addresses of clients", says more.',
            extra=fields(gateway=ip, connections=self._seen),
        )
