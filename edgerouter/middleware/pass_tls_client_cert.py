"""``passTLSClientCert``: facts of the client's certificate become headers.

The headers are made once per certificate. Without one nothing is changed: what
a peer that is not trusted sent under their names has been removed before.
"""

import base64
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import lru_cache

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.certificate_parts import Info

_PEM = b"X-Forwarded-Tls-Client-Cert"
_INFO = b"X-Forwarded-Tls-Client-Cert-Info"
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    pem: bool = False
    info: Info | None = None


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware."""
    info = options.info
    written = frozenset(
        name.lower() for name, is_set in ((_PEM, options.pem), (_INFO, info)) if is_set
    )

    @lru_cache(_REMEMBERED)
    def facts(certificates: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
        made = []
        if options.pem:
            made.append((_PEM, b",".join(map(base64.b64encode, certificates))))
        if info is not None:
            # Loaded only where certificates are read: cryptography is large.
            from edgerouter.middleware.certificate_info import describe  # noqa: PLC0415

            made.append((_INFO, describe(certificates, info)))
        return tuple(made)

    def pass_tls_client_cert(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            tls = request.peer.tls
            if tls is None or not tls.certificates:
                return handler(request)
            headers = Headers([pair for pair in request.headers if pair[0].lower() not in written])
            headers += facts(tls.certificates)
            return handler(request.evolve(headers=headers))

        return handle

    return pass_tls_client_cert
