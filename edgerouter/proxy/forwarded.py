"""Who is believed about ``X-Forwarded-*``, and what servers are told.

As Traefik's forwarded-headers handler: fields from peers that are not trusted
are dropped, then what is missing is added. ``X-Forwarded-For`` is appended
when the request leaves (``proxy/forward.py``), so that middlewares see the
chain as it came.
"""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from edgerouter.http.headers import Headers
from edgerouter.http.lines import FEWEST_HOSTS

SCHEME_FIELDS = frozenset((b"x-forwarded-scheme", b"x-scheme"))
"""What ``addXForwardedSchemeHeaders`` says besides ``X-Forwarded-Proto``."""

# What hosts have in common exists once, so that it stays in the processor's caches.
_SERVER = (b"X-Forwarded-Server", socket.gethostname().encode())
_PROTO = {
    (websocket, secure): (b"X-Forwarded-Proto", scheme)
    for websocket, secure, scheme in (
        (False, False, b"http"),
        (False, True, b"https"),
        (True, False, b"ws"),
        (True, True, b"wss"),
    )
}
_DEFAULT_PORT = {False: (b"X-Forwarded-Port", b"80"), True: (b"X-Forwarded-Port", b"443")}


class Networks:
    """A list of CIDRs or addresses that can be asked whether it holds an address."""

    def __init__(self, cidrs: Sequence[str], *, everything: bool = False) -> None:
        self._everything = everything
        self._networks = [ip_network(cidr, strict=False) for cidr in cidrs]

    def __contains__(self, ip: object) -> bool:
        if self._everything:
            return True
        if not self._networks:
            return False
        try:
            address = ip_address(str(ip))
        except ValueError:  # A Unix socket's peer has no address.
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return any(address in network for network in self._networks)


class Host:
    """What follows from the ``Host`` of a request, worked out once."""

    __slots__ = ("added", "authority", "name")

    def __init__(self, authority: str, name: str, added: list[tuple[bytes, bytes]]) -> None:
        self.authority = authority
        self.name = name
        """In lower case, without port and trailing dot."""
        self.added = added
        """What servers are told besides ``X-Real-Ip``."""


class KnownHosts:
    """What is known of values of ``Host`` at one entry point."""

    __slots__ = ("by_scheme", "most")

    def __init__(self) -> None:
        self.by_scheme: dict[str, dict[bytes, Host]] = {"http": {}, "https": {}}
        self.most = FEWEST_HOSTS
        """How many are kept, of each scheme."""


class ForwardedHeaders:
    """The ``forwardedHeaders`` options of one entry point."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.trusted = Networks(
            options.get("trustedIPs") or (), everything=bool(options.get("insecure"))
        )
        self.kept_connection_tokens = frozenset(
            name.lower().encode() for name in options.get("connection") or ()
        )
        adds_scheme = bool(options.get("addXForwardedSchemeHeaders"))
        self._scheme_fields = SCHEME_FIELDS if adds_scheme else frozenset()

    def is_set_here(self, name: bytes) -> bool:
        """Tell whether ``addXForwardedSchemeHeaders`` sets this field, whatever clients say."""
        return name.lower().replace(b"_", b"-") in self._scheme_fields

    def added(
        self, authority: bytes, *, secure: bool, websocket: bool, scheme: bytes = b""
    ) -> list[tuple[bytes, bytes]]:
        """Return the fields but ``X-Real-Ip`` for a request that brought none that is believed.

        A believed ``scheme`` is the one that ``addXForwardedSchemeHeaders`` repeats.
        """
        proto = (b"X-Forwarded-Proto", scheme) if scheme else _PROTO[websocket, secure]
        repeated = [(b"X-Forwarded-Scheme", proto[1]), (b"X-Scheme", proto[1])]
        port = port_of(authority)
        return [
            proto,
            (b"X-Forwarded-Port", port) if port else _DEFAULT_PORT[secure],
            *(repeated if self._scheme_fields else []),
            *([(b"X-Forwarded-Host", authority)] if authority else []),
            _SERVER,
        ]

    def complete(
        self, headers: Headers, authority: bytes, ip: bytes, *, secure: bool, websocket: bool
    ) -> Headers:
        """Return ``headers`` of a trusted peer with the missing fields added."""
        proto = headers.first(b"x-forwarded-proto") or b""
        secure = proto in (b"https", b"wss") if proto else secure
        result = headers.without(b"x-forwarded-server", *self._scheme_fields)
        present = {name.lower() for name, value in result if value}
        added = self.added(authority, secure=secure, websocket=websocket, scheme=proto)
        for name, value in [(b"X-Real-Ip", ip), *added]:
            if name.lower() not in present:
                result.append((name, value))
        return result


def port_of(authority: bytes) -> bytes:
    """Return the port in ``authority``, or an empty string."""
    host, colon, port = authority.rpartition(b":")
    if not colon or (b":" in host and not host.endswith(b"]")):
        return b""
    return port
