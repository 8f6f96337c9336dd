"""Sets of addresses from lists such as ``sourceRange``: addresses and networks in CIDR form."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from edgerouter.middleware.base import BuildError
from edgerouter.routing.matchers.base import ArgumentError
from edgerouter.routing.matchers.client_ip import network

_MEMORY = 4096

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=_MEMORY)
def parse_address(text: str) -> Address | None:
    """Return the address, without an IPv6 zone; IPv4 in IPv6 counts as IPv4. None: it is none."""
    text = text.partition("%")[0]
    try:
        address: Address = IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def parse_networks(cidrs: Iterable[str], option: str) -> list[Network]:
    """Read addresses and networks.

    Raises:
        BuildError: One is neither; the message names ``option``.
    """
    networks = []
    for cidr in cidrs:
        try:
            networks.append(network(cidr.strip()))
        except ArgumentError as error:
            raise BuildError(f"{option}: {error}") from None
    return networks


class AddressSet:
    """Can be asked whether it holds an address; remembers the answers, which are bounded."""

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, text: str) -> bool:
        known = self._known.get(text)
        if known is None:
            known = self._holds(text)
            if len(self._known) >= _MEMORY:
                self._known.clear()
            if len(text) <= 64:
                self._known[text] = known
        return known

    def _holds(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in each for each in self._networks)
