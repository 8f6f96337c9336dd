"""A certificate authority for tests: ``Authority(directory).issue("a.test")``."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates for servers and clients; its own is ``certificate``."""

    def __init__(self, directory: Path, name: str = "Test authority") -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        built = self._builder(self._name, self._key.public_key(), timedelta(days=2))
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        built = built.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        self.certificate = directory / f"{name.lower().replace(' ', '-')}.pem"
        self.certificate.write_bytes(
            built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )

    def issue(
        self, *names: str, uris: tuple[str, ...] = (), lasts: timedelta = timedelta(days=1)
    ) -> Pair:
        """Return a certificate for host names, addresses and ``uris``; ``lasts`` may be past."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (*names, "nobody")[0])])
        alternatives: list[x509.GeneralName] = [_general_name(name) for name in names]
        alternatives += [x509.UniformResourceIdentifier(uri) for uri in uris]
        built = self._builder(subject, key.public_key(), lasts)
        if alternatives:
            extension = x509.SubjectAlternativeName(alternatives)
            built = built.add_extension(extension, critical=False)
        built = built.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            critical=False,
        )
        certificate = built.sign(self._key, hashes.SHA256())
        base = self._directory / f"{certificate.serial_number:x}"
        pair = Pair(base.with_suffix(".crt"), base.with_suffix(".key"))
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + lasts)
        )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
