"""Which client a request counts for: options and their meaning, shared by several middlewares.

``X-Forwarded-For`` is here what a trusted peer has sent; from others it has been removed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from edgerouter.http.memory import remembered
from edgerouter.http.message import Request
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.field_names import field_name
from edgerouter.routing.matchers.base import ArgumentError
from edgerouter.routing.matchers.client_ip import network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IPStrategy:
    """How the client's address is found in ``X-Forwarded-For``."""

    depth: int = 0
    """Counted from the right; 0: the peer's address."""
    excluded_ips: tuple[str, ...] = field(default=(), metadata={"alias": "excludedIPs"})
    ipv6_subnet: int | None = None


@dataclass(frozen=True, slots=True)
class SourceCriterion:
    """What tells clients apart; one of the three."""

    ip_strategy: IPStrategy | None = None
    request_header_name: str = ""
    request_host: bool = False


BY_HOST = SourceCriterion(request_host=True)
BY_ADDRESS = SourceCriterion(ip_strategy=IPStrategy())


def source_of(
    criterion: SourceCriterion | None, default: SourceCriterion = BY_ADDRESS
) -> Callable[[Request], bytes]:
    """Return the function that tells which source a request counts for.

    An unset criterion, or one that says nothing, is the ``default``. Requests
    without the header share one source, the empty one, as in Traefik; ``Host`` is not a
    header here.

    Raises:
        BuildError: The options exclude each other, are out of range or no header name.
    """
    chosen = criterion if criterion is not None and criterion != SourceCriterion() else default
    _check_exclusive(chosen)
    if chosen.request_host:
        return lambda request: request.authority.encode("utf-8", "surrogateescape")
    if chosen.request_header_name:
        name = field_name(chosen.request_header_name, "sourceCriterion.requestHeaderName").lower()
        return lambda request: request.headers.first(name) or b""
    if chosen.ip_strategy in (None, IPStrategy()):
        return lambda request: request.peer.ip_bytes
    address = client_address(chosen.ip_strategy)
    return lambda request: address(request).encode("utf-8", "surrogateescape")


def _check_exclusive(criterion: SourceCriterion) -> None:
    chosen = [
        name
        for name, value in (
            ("ipStrategy", criterion.ip_strategy is not None),
            ("requestHeaderName", criterion.request_header_name),
            ("requestHost", criterion.request_host),
        )
        if value
    ]
    if len(chosen) > 1:
        raise BuildError(
            f"sourceCriterion: {' and '.join(chosen)} are mutually exclusive; keep one of them"
        )


def client_address(strategy: IPStrategy | None) -> Callable[[Request], str]:
    """Return the function that finds the client's address by ``strategy``.

    It returns an empty text where ``X-Forwarded-For`` has no such entry, and
    whatever is written there otherwise: it need not be an address.

    Raises:
        BuildError: An option is out of range or no network.
    """
    if strategy is None:
        return _peer
    subnet = strategy.ipv6_subnet
    if subnet is not None and not 0 < subnet <= 128:
        raise BuildError(f"ipStrategy.ipv6Subnet: {subnet} is not between 1 and 128")
    if strategy.depth > 0:
        found = _from_the_right(strategy.depth)
    elif strategy.excluded_ips:
        # The subnet has no effect here, as in Traefik.
        return _first_not_in(networks(strategy.excluded_ips, "ipStrategy.excludedIPs"))
    else:
        found = _peer
    if subnet is None:
        return found
    return lambda request: masked(found(request), subnet)


def _peer(request: Request) -> str:
    return request.peer.ip


def _forwarded_for(request: Request) -> list[str]:
    return b",".join(request.headers.all(b"x-forwarded-for")).decode("latin-1").split(",")


def _from_the_right(depth: int) -> Callable[[Request], str]:
    def find(request: Request) -> str:
        entries = _forwarded_for(request)
        return entries[-depth].strip() if len(entries) >= depth else ""

    return find


def _first_not_in(excluded: Sequence[Network]) -> Callable[[Request], str]:
    def find(request: Request) -> str:
        for entry in reversed(_forwarded_for(request)):
            text = entry.strip()
            if text and not contains(excluded, text):
                return text
        return ""

    return find


def networks(texts: Iterable[str], option: str) -> list[Network]:
    """Read addresses and networks in CIDR form.

    Raises:
        BuildError: One of them is neither; the message names ``option``.
    """
    try:
        return [network(text.strip()) for text in texts]
    except ArgumentError as error:
        raise BuildError(f"{option}: {error}") from error


def contains(pool: Iterable[Network], text: str) -> bool:
    """Tell whether ``text`` is an address in one of ``pool``; what is no address is in none."""
    address = _parsed(text)
    return address is not None and any(address in one for one in pool)


@remembered(4096)
def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@remembered(4096)
def masked(text: str, bits: int) -> str:
    """Return the first address of the IPv6 network of ``bits`` that ``text`` is in.

    What is no IPv6 address is returned as it is.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address) or address.scope_id or address.ipv4_mapped:
        return text
    return str(ip_network((int(address), bits), strict=False).network_address)
