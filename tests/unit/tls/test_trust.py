"""What ends a chain of certificates: whatever is trusted, as in Go."""

import ssl
from pathlib import Path

import pytest

from edgerouter.proxy.upstream.tls import client_tls
from edgerouter.tls.options import TlsOptions
from tests.support.authority import Authority


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Shake hands as ``a.test``, in memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname="a.test")
    theirs = server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def serving(pair_of: Authority, options: dict[str, object] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = pair_of.issue("a.test")
    context.load_cert_chain(pair.certificate, pair.key)
    if options is not None:
        TlsOptions(options).apply(context)
    return context


def test_a_server_may_be_trusted_by_its_own_certificate(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("a.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    shake_hands(client_tls({"rootCAs": [str(pair.certificate)]}).context, server)
    other = Authority(tmp_path, "Another authority").issue("a.test")
    stranger = client_tls({"rootCAs": [str(other.certificate)]}).context
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(stranger, server)


def test_a_client_may_be_trusted_by_its_own_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    known, unknown = authority.issue("known"), authority.issue("unknown")
    accepted = {
        "clientAuthType": "RequireAndVerifyClientCert",
        "authorities": known.certificate.read_text(),
    }
    server = serving(authority, {"maxVersion": "VersionTLS12", "clientAuth": accepted})
    for pair, is_trusted in ((known, True), (unknown, False)):
        files = [{"certFile": str(pair.certificate), "keyFile": str(pair.key)}]
        transport = {"rootCAs": [str(authority.certificate)], "certificates": files}
        client = client_tls(transport).context
        if is_trusted:
            shake_hands(client, server)
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                shake_hands(client, server)
