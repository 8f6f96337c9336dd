"""Sets of addresses from lists such as ``sourceRange``: addresses and networks in CIDR form."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from edgerouter.middleware.source_criterion import Network, contains, networks

_MEMORY = 4096
_LONGEST = 64
"""Longer texts are no addresses and not worth remembering."""
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([0-9.]+)):[0-9]+").fullmatch


class AddressSet:
    """Can be asked whether it holds an address, with or without a port behind it.

    It remembers a bounded number of answers.
    """

    __slots__ = ("_known", "_networks")

    def __init__(self, pool: Iterable[Network]) -> None:
        self._networks = tuple(pool)
        self._known: dict[str, bool] = {}

    def __contains__(self, text: str) -> bool:
        known = self._known.get(text)
        if known is None:
            known = contains(self._networks, without_port(text))
            if len(self._known) >= _MEMORY:
                self._known.clear()
            if len(text) <= _LONGEST:
                self._known[text] = known
        return known


def address_set(texts: Iterable[str], option: str) -> AddressSet:
    """Read addresses and networks.

    Raises:
        BuildError: One of them is neither; the message names ``option``.
    """
    return AddressSet(networks(texts, option))


def is_address(text: str) -> bool:
    """Tell whether ``text`` is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def without_port(text: str) -> str:
    """Return ``text`` without the port that some proxies write behind an address."""
    parts = _WITH_PORT(text)
    return text if parts is None else parts[1] or parts[2] or ""
