"""Ends loops of routers that the default rule made: a service may lead back to its own router.

As Traefik's: requests carry the name of the router in ``X-Traefik-Router``, as FNV-1 (64 bits,
hexadecimal), and a router that meets its own name answers 400. Two Traefiks, or a Traefik and
an edgerouter with routers of the same name, end loops between them, too.
"""

from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response

FIELD = b"X-Traefik-Router"
_LOWER = FIELD.lower()
_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def deny_recursion(router: str, handler: Handler) -> Handler:
    """Return ``handler`` behind the check; ``router`` is the qualified name."""
    mark = f"{_fnv1(router.encode()):x}".encode()

    async def handle(request: Request) -> Response:
        if request.headers.first(_LOWER) == mark:
            request.exchange.error = f"the service of router {router} leads back to that router"
            return Response(400, Headers([(b"Date", http_date())]))
        return await handler(request.evolve(headers=request.headers.replaced(FIELD, mark)))

    return handle


def _fnv1(data: bytes) -> int:
    value = _OFFSET
    for byte in data:
        value = (value * _PRIME & _MASK) ^ byte
    return value
