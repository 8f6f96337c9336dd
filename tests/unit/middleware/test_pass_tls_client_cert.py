"""passTLSClientCert."""

import base64
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import unquote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer
from edgerouter.http.tls import TlsFacts
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.certificate_parts import Info, Issuer, Subject
from edgerouter.middleware.pass_tls_client_cert import Options, build
from tests.unit.middleware.exchange import Seen, request


def name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


@pytest.fixture(scope="module")
def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name(
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.ORGANIZATION_NAME, "Cheese, Inc"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Blue"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Hard"),
        (NameOID.DOMAIN_COMPONENT, "org"),
        (NameOID.COMMON_NAME, "bob"),
        (NameOID.SERIAL_NUMBER, "77"),
    )
    alternatives = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier("spiffe://a/b"),
            x509.DNSName("bob.test"),
            x509.IPAddress(ip_address("10.0.0.1")),
            x509.RFC822Name("bob@bob.test"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name((NameOID.COMMON_NAME, "CA"), (NameOID.LOCALITY_NAME, "Lyon")))
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


FORGED = (b"X-Forwarded-Tls-Client-Cert", b"forged"), (b"x-forwarded-tls-client-cert-info", b"x")


async def headers(options: Options, *certificates: bytes) -> Headers:
    seen = Seen()
    sent = request(headers=FORGED)
    facts = TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", certificates=certificates)
    sent.peer = Peer("192.0.2.1", 1, "web", tls=facts)
    await build(options, BuildContext("cert@file"))(seen)(sent)
    assert seen.request is not None
    return seen.request.headers


async def test_the_certificates(certificate: bytes) -> None:
    found = await headers(Options(pem=True), certificate, b"more")
    encoded = base64.b64encode(certificate) + b"," + base64.b64encode(b"more")
    assert found.all(b"x-forwarded-tls-client-cert") == [encoded]


ALL = Info(
    not_after=True,
    not_before=True,
    sans=True,
    serial_number=True,
    subject=Subject(*[True] * 8),
    issuer=Issuer(*[True] * 7),
)


async def test_the_facts(certificate: bytes) -> None:
    (found,) = (await headers(Options(info=ALL), certificate)).all(
        b"x-forwarded-tls-client-cert-info"
    )
    assert b'"' not in found
    assert unquote_plus(found.decode()) == (
        'Subject="DC=org,C=FR,O=Cheese, Inc,OU=Blue,OU=Hard,SN=77,CN=bob";'
        'Issuer="L=Lyon,CN=CA";SerialNumber="4711";NB="1767225600";NA="1798761600";'
        'SAN="bob.test,bob@bob.test,10.0.0.1,spiffe://a/b"'
    )


async def test_only_what_is_asked_for(certificate: bytes) -> None:
    options = Options(info=Info(subject=Subject(common_name=True), issuer=Issuer(country=True)))
    found = (await headers(options, certificate, b"broken")).all(
        b"x-forwarded-tls-client-cert-info"
    )
    assert [unquote_plus(value.decode()) for value in found] == ['Subject="CN=bob",']


async def test_without_a_certificate_a_trusted_peer_is_believed() -> None:
    assert await headers(Options(pem=True, info=ALL)) == list(FORGED)
