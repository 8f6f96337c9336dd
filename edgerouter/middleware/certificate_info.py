"""What ``passTLSClientCert`` tells of certificates, in Traefik's notation.

``Subject="C=FR,CN=bob";Issuer="...";SerialNumber="1";NB="0";NA="1";SAN="..."`` for
each certificate, commas between them, all of it percent-encoded.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import quote_plus

from cryptography import x509
from cryptography.x509.oid import NameOID

from edgerouter.middleware.certificate_parts import Info, Issuer, Subject

_PARTS = (
    ("domain_component", NameOID.DOMAIN_COMPONENT, "DC"),
    ("country", NameOID.COUNTRY_NAME, "C"),
    ("province", NameOID.STATE_OR_PROVINCE_NAME, "ST"),
    ("locality", NameOID.LOCALITY_NAME, "L"),
    ("organization", NameOID.ORGANIZATION_NAME, "O"),
    ("organizational_unit", NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
    ("serial_number", NameOID.SERIAL_NUMBER, "SN"),
    ("common_name", NameOID.COMMON_NAME, "CN"),
)
"""The option, the attribute and how it is written, in Traefik's order."""
_ONCE = frozenset(("SN", "CN"))
"""Attributes of which Go keeps the last one only."""


def describe(certificates: Iterable[bytes], info: Info) -> bytes:
    """Return the value of ``X-Forwarded-Tls-Client-Cert-Info`` for certificates in DER.

    What cannot be read is described by nothing.
    """
    return quote_plus(",".join(_description(der, info) for der in certificates)).encode()


def _description(der: bytes, info: Info) -> str:
    try:
        certificate = x509.load_der_x509_certificate(der)
        return ";".join(_facts(certificate, info))
    except ValueError:
        return ""


def _facts(certificate: x509.Certificate, info: Info) -> Iterator[str]:
    if info.subject is not None and (subject := _name(certificate.subject, info.subject)):
        yield f'Subject="{subject}"'
    if info.issuer is not None and (issuer := _name(certificate.issuer, info.issuer)):
        yield f'Issuer="{issuer}"'
    if info.serial_number:
        yield f'SerialNumber="{certificate.serial_number}"'
    if info.not_before:
        yield f'NB="{int(certificate.not_valid_before_utc.timestamp())}"'
    if info.not_after:
        yield f'NA="{int(certificate.not_valid_after_utc.timestamp())}"'
    if info.sans and (names := _alternative_names(certificate)):
        yield f'SAN="{",".join(names)}"'


def _name(name: x509.Name, options: "Subject | Issuer") -> str:
    written = []
    for option, oid, short in _PARTS:
        if getattr(options, option, False):
            values = [str(each.value) for each in name.get_attributes_for_oid(oid) if each.value]
            written += [f"{short}={value}" for value in (values[-1:] if short in _ONCE else values)]
    return ",".join(written)


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *found.get_values_for_type(x509.DNSName),
        *found.get_values_for_type(x509.RFC822Name),
        *map(str, found.get_values_for_type(x509.IPAddress)),
        *found.get_values_for_type(x509.UniformResourceIdentifier),
    ]
