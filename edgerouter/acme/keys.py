"""Private keys, certificate requests and what certificates say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MAX_COMMON_NAME = 64
"""Characters (RFC 5280, ub-common-name); longer names stand in the alternative names only."""

_CURVES = {"EC256": ec.SECP256R1, "EC384": ec.SECP384R1}


def new_key(kind: str) -> PrivateKey:
    """Make a private key of one of Traefik's key types: ``EC256``, ..., ``RSA8192``."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA")))


def to_pem(key: PrivateKey) -> str:
    """Return the key in PKCS#8 (PEM)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def load_key(pem: str) -> PrivateKey:
    """Read a private key (PEM).

    Raises:
        ValueError: It is none, or of a kind that certificates here do not have.
    """
    try:
        # What is skipped takes half a second and tells only that whoever made the key meant harm.
        key = serialization.load_pem_private_key(
            pem.encode(), None, unsafe_skip_rsa_key_validation=True
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"the private key cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the private key is neither RSA nor ECDSA")
    return key


def general_names(names: Sequence[str], emails: Sequence[str] = ()) -> list[x509.GeneralName]:
    """Return names as a certificate lists them: addresses as addresses, the others as DNS names."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return [*found, *(x509.RFC822Name(email) for email in emails)]


def certificate_request(
    key: PrivateKey, names: Sequence[str], emails: Sequence[str] = (), *, common_name: bool = True
) -> bytes:
    """Return a certificate signing request (DER); the first name is the common name."""
    subject: list[x509.NameAttribute[str]] = []
    if common_name and len(names[0]) <= MAX_COMMON_NAME:
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, names[0]))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    alternatives = x509.SubjectAlternativeName(general_names(names, emails))
    builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True, slots=True)
class Facts:
    """What matters here of a certificate."""

    names: tuple[str, ...]
    """DNS names and addresses, in lower case."""
    not_before: datetime
    not_after: datetime
    serial: str
    """Hexadecimal, lower case."""
    issuer: str


def facts_of(chain: str) -> Facts:
    """Read the leaf, the first certificate of a chain (PEM).

    Raises:
        ValueError: It cannot be read.
    """
    leaf = x509.load_pem_x509_certificate(chain.encode())
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names: list[str] = []
    else:
        names = [name.lower() for name in extension.get_values_for_type(x509.DNSName)]
        names += [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    return Facts(
        tuple(names),
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        f"{leaf.serial_number:x}",
        leaf.issuer.rfc4514_string(),
    )


def belong_together(chain: str, key: str) -> bool:
    """Whether the key is the one the leaf certifies.

    Raises:
        ValueError: One of them cannot be read.
    """
    leaf = x509.load_pem_x509_certificate(chain.encode())
    return leaf.public_key() == load_key(key).public_key()
