"""Certificates made in the test: a CA of its own, any names and times."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edgerouter.acme.keys import PrivateKey, general_names, new_key, to_pem
from edgerouter.acme.order import Issued


def make_certificate(
    names: Sequence[str],
    *,
    start: datetime | None = None,
    days: float = 90,
    serial: int | None = None,
    issuer_key: bytes | None = b"issuer",
    key: PrivateKey | None = None,
) -> Issued:
    """Return a self-signed certificate; ``issuer_key`` is its authority key identifier."""
    key = key or new_key("EC256")
    start = start or datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=False)
    )
    if issuer_key is not None:
        identifier = x509.AuthorityKeyIdentifier(issuer_key, None, None)
        builder = builder.add_extension(identifier, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return Issued(signed.public_bytes(Encoding.PEM).decode(), to_pem(key))
