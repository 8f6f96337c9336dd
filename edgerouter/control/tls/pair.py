"""A certificate and its key: do they belong together, and for which names are they?"""

import datetime as dt
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgerouter.control.tls.source import KeyPair

_DER = serialization.Encoding.DER
_PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
SELF_SIGNED_NAME = "EDGEROUTER DEFAULT CERT"
SELF_SIGNED_DAYS = 365


class PairProblem(ValueError):
    """The pair cannot be served.

    ``in_key`` says that the key is to blame; the message leaves its name to the caller.
    """

    def __init__(self, message: str, *, in_key: bool = False) -> None:
        super().__init__(message)
        self.in_key = in_key


@lru_cache(maxsize=8192)
def names_of_pair(chain_pem: str, key_pem: str) -> tuple[str, ...]:
    """Return the names that a certificate with its key may be served for.

    Raises:
        PairProblem: It is no certificate, no key, or they do not belong together.
    """
    leaf = _leaf(chain_pem)
    key = _public_of_key(key_pem)
    if leaf.public_key().public_bytes(_DER, _PUBLIC) != key:
        raise PairProblem(
            "the key does not belong to the certificate; the certificate of the server must "
            "come first in its file, and both files must be of the same renewal"
        )
    return names_of(leaf)


def _leaf(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PairProblem("holds no certificate in PEM form (BEGIN CERTIFICATE)") from error


def _public_of_key(pem: str) -> bytes:
    try:
        # What is skipped takes milliseconds and tells only that whoever made the key meant harm.
        key = serialization.load_pem_private_key(
            pem.encode(), None, unsafe_skip_rsa_key_validation=True
        )
    except TypeError as error:
        raise PairProblem(
            "the key is encrypted; store it without a passphrase (openssl pkey -in … -out …)",
            in_key=True,
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PairProblem(
            "holds no private key in PEM form (BEGIN PRIVATE KEY)", in_key=True
        ) from error
    return key.public_key().public_bytes(_DER, _PUBLIC)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return DNS names and addresses in lower case; the common name where there are none."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value).lower() for each in common)
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(dict.fromkeys([*(name.lower() for name in names), *map(str, addresses)]))


def self_signed(*, as_traefik: bool = False) -> KeyPair:
    """Return a new certificate that nobody trusts, for clients whose name no other has.

    ``as_traefik``: with an RSA key, which costs each handshake more.
    """
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if as_traefik:
        key = rsa.generate_private_key(65537, 2048)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SELF_SIGNED_NAME)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("default.edgerouter.invalid")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
