"""Which client a request counts for: options shared by several middlewares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network

from edgerouter.http.message import Request
from edgerouter.middleware.addresses import AddressSet, parse_address, parse_networks
from edgerouter.middleware.base import BuildError

Source = Callable[[Request], str]
"""Says whom a request counts for; an empty string when that cannot be told."""


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


def source_of(criterion: SourceCriterion | None, default: Source | None = None) -> Source:
    """Return what tells clients apart; ``default``, or the peer's address, where nothing is set.

    Raises:
        BuildError: Several criteria are set, or one cannot work.
    """
    if criterion is None:
        return default or _peer
    chosen = (criterion.ip_strategy is not None, criterion.request_header_name != "")
    if sum(chosen) + criterion.request_host > 1:
        raise BuildError(
            "sourceCriterion: ipStrategy, requestHeaderName and requestHost exclude each other;"
            " keep one"
        )
    if criterion.request_header_name:
        return _header(criterion.request_header_name)
    if criterion.request_host:
        return request_host
    return client_ip(criterion.ip_strategy) if criterion.ip_strategy else default or _peer


def client_ip(strategy: IPStrategy | None) -> Source:
    """Return what finds the client's address by ``strategy``.

    Raises:
        BuildError: Depth, subnet or an address is out of range.
    """
    if strategy is None:
        return _peer
    if strategy.depth < 0:
        raise BuildError(f"ipStrategy.depth: {strategy.depth} is negative; count from 1")
    subnet = strategy.ipv6_subnet
    if subnet is not None and not 0 <= subnet <= 128:
        raise BuildError(f"ipStrategy.ipv6Subnet: {subnet} is not between 0 and 128")
    excluded = parse_networks(strategy.excluded_ips, "ipStrategy.excludedIPs")
    if strategy.depth:
        found = _at_depth(strategy.depth)
    elif excluded:
        found = _outside(AddressSet(excluded))
    else:
        found = _peer
    return found if subnet is None else _in_subnet(found, subnet)


def request_host(request: Request) -> str:
    """Count for the host, without its port."""
    return request.host


def _peer(request: Request) -> str:
    return request.peer.ip


def _header(name: str) -> Source:
    folded = name.lower().encode()

    def value(request: Request) -> str:
        return (request.headers.first(folded) or b"").decode("latin-1")

    return value


def _forwarded_for(request: Request) -> list[str]:
    values = b",".join(request.headers.all(b"x-forwarded-for"))
    return [part.strip() for part in values.decode("latin-1").split(",")]


def _at_depth(depth: int) -> Source:
    def found(request: Request) -> str:
        chain = _forwarded_for(request)
        return chain[-depth] if len(chain) >= depth else ""

    return found


def _outside(excluded: AddressSet) -> Source:
    def found(request: Request) -> str:
        for address in reversed(_forwarded_for(request)):
            if address and address not in excluded:
                return address
        return ""

    return found


def _in_subnet(source: Source, bits: int) -> Source:
    """Count all addresses of one IPv6 network as one; IPv4 addresses stay apart."""

    def masked(request: Request) -> str:
        text = source(request)
        address = parse_address(text)
        if not isinstance(address, IPv6Address):
            return text
        return str(IPv6Network((address, bits), strict=False).network_address)

    return masked
