"""``realIp``: the client's address comes from a header that a trusted proxy has set.

Every middleware after it and the access log see that address as the peer's.
Not of Traefik. Shipped ranges are in ``proxy_ranges.py``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.addresses import is_address, without_port
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.field_names import field_name
from edgerouter.middleware.peers import changed_peer
from edgerouter.middleware.proxy_ranges import DEFAULT_HEADERS, TrustedProxies

FORWARDED_FOR = b"x-forwarded-for"


@dataclass(frozen=True, slots=True)
class Options:
    """Options."""

    trusted: tuple[str, ...] = ("private",)
    """``cloudflare``, ``fastly``, ``private``, addresses, networks, files with networks."""
    header: str = ""
    """Empty: the one the trusted proxy is known for, else ``X-Forwarded-For``."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: A trusted proxy or the header name cannot be used.
    """
    resolve = resolver(options)

    def real_ip(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return handler(resolve(request))

        return handle

    return real_ip


def resolver(options: Options) -> Callable[[Request], Request]:
    """Return what gives a request the address of its client.

    Raises:
        BuildError: A trusted proxy or the header name cannot be used.
    """
    trusted = TrustedProxies(options.trusted)
    names = {entry.strip().lower() for entry in options.trusted}
    known = [header for name, header in DEFAULT_HEADERS.items() if name in names]
    default = known[0] if len(known) == 1 else "X-Forwarded-For"
    name = field_name(options.header or default, "header").lower()

    def resolve(request: Request) -> Request:
        peer = request.peer
        if not trusted.holds(peer.ip):
            return request
        values = b",".join(request.headers.all(name)).decode("latin-1")
        found = _client(values, trusted)
        if not found:
            return request
        changed = changed_peer(peer, ip=found)
        headers = request.headers
        # The peer's own address goes on in a list that tells of the client; without a list, the
        # client's is all of it.
        if not headers.has(FORWARDED_FOR):
            changed.hop = changed.ip_bytes
        headers = headers.replaced(b"X-Real-Ip", found.encode())
        request.exchange.client = found
        return request.evolve(peer=changed, headers=headers)

    return resolve


def _client(values: str, trusted: TrustedProxies) -> str:
    """Return the last address that is no trusted proxy's, or the first if all are."""
    found = ""
    for part in reversed(values.split(",")):
        text = _address(part.strip())
        if not text:
            return found
        found = text
        if not trusted.holds(text):
            break
    return found


def _address(text: str) -> str:
    """Return the address in ``text``, empty if there is none; a port and a zone are left out."""
    if not is_address(text):
        text = without_port(text).removeprefix("[").removesuffix("]")
        if not is_address(text):
            return ""
    return text.partition("%")[0]
