"""Which facts of a client certificate ``passTLSClientCert`` passes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """Parts of the subject's name."""

    country: bool = False
    province: bool = False
    locality: bool = False
    organization: bool = False
    organizational_unit: bool = False
    common_name: bool = False
    serial_number: bool = False
    domain_component: bool = False


@dataclass(frozen=True, slots=True)
class Issuer:
    """Parts of the issuer's name."""

    country: bool = False
    province: bool = False
    locality: bool = False
    organization: bool = False
    common_name: bool = False
    serial_number: bool = False
    domain_component: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """Which facts are passed on."""

    not_after: bool = False
    not_before: bool = False
    sans: bool = False
    serial_number: bool = False
    subject: Subject | None = None
    issuer: Issuer | None = None
