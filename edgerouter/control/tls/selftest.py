"""Tries at the start whether workers will be able to resume each other's sessions."""

import ssl
from contextlib import suppress

from edgerouter.control.tls.source import KeyPair
from edgerouter.tls.contexts import Contexts, ServedCertificate
from edgerouter.tls.native import OPENSSL
from edgerouter.tls.options import TlsOptions

_KEY = bytes(range(32))


def sessions_are_shared(pair: KeyPair) -> bool:
    """Shake hands with two servers that have the same ticket key, in memory; both with ``pair``."""
    if OPENSSL is None:
        return False
    served = ServedCertificate({"certificate": pair.chain_pem, "key": pair.key_pem})
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    try:
        first = _shake(client, _server(served), None)
        return bool(_shake(client, _server(served), first.session).session_reused)
    except (ssl.SSLError, ValueError):
        return False


def _server(served: ServedCertificate) -> ssl.SSLContext:
    contexts = Contexts()
    contexts.use_ticket_key(_KEY)
    return contexts.get(TlsOptions({}), served)


def _shake(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLObject:
    """Return the client's end of a connection that has received its ticket."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, session=session)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (ours, theirs, ours, theirs):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    with suppress(ssl.SSLWantReadError):
        ours.read(1)
    return ours
