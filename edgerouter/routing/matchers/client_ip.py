"""``ClientIP``: the address of the TCP peer; never a forwarded header."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from edgerouter.http.memory import remembered
from edgerouter.http.message import Request
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate


def build(arguments: Arguments) -> Predicate:
    """Match an address or one of a network; IPv4 in IPv6 (``::ffff:10.0.0.1``) counts as IPv4."""
    networks = [network(argument, index) for index, argument in enumerate(arguments)]

    def inside(request: Request) -> bool:
        address = _address(request.peer.ip)
        return address is not None and _contains(networks, address)

    return inside


def network(argument: str, index: int = 0) -> IPv4Network | IPv6Network:
    """Read an address or a network in CIDR form; bits beyond the mask are ignored, as in Go.

    Raises:
        ArgumentError: It is neither.
    """
    _, slash, bits = argument.partition("/")
    try:
        if slash and not (bits.isascii() and bits.isdigit()):
            raise ValueError(bits)
        if "%" in argument:
            raise ValueError(argument)
        found = ip_network(argument, strict=False)
    except ValueError:
        raise ArgumentError(
            f"{argument!r} is neither an IP address nor a network such as 10.0.0.0/8", index
        ) from None
    if isinstance(found, IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        return IPv4Network((mapped, found.prefixlen - 96)) if mapped else found
    return found


@remembered(4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _contains(
    networks: Iterable[IPv4Network | IPv6Network], address: IPv4Address | IPv6Address
) -> bool:
    return any(address in candidate for candidate in networks)


MATCHER: Matcher = Matcher(build, "ClientIP(`10.0.0.0/8`)")
