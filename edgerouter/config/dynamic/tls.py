"""Certificates, TLS options and certificate stores."""

from typing import Annotated

from edgerouter.config.dynamic.base import Certificate, Domain, Model
from edgerouter.config.types import NOT_IN_LABELS


class ClientAuth(Model):
    """What is asked of clients' certificates."""

    ca_files: list[str] = []
    client_auth_type: str = ""


class TLSOptions(Model):
    """How TLS is spoken with clients."""

    min_version: str = ""
    max_version: str = ""
    cipher_suites: list[str] = []
    curve_preferences: list[str] = []
    client_auth: ClientAuth = ClientAuth()
    sni_strict: bool = False
    alpn_protocols: list[str] = ["h2", "http/1.1", "acme-tls/1"]
    disable_session_tickets: bool = False
    prefer_server_cipher_suites: bool = False
    """Deprecated: has no effect."""


class GeneratedCertificate(Model):
    """A default certificate that a resolver obtains."""

    resolver: str = ""
    domain: Domain | None = None


class TLSStore(Model):
    """A certificate store; ``default`` is the only one that is used."""

    default_certificate: Annotated[Certificate | None, NOT_IN_LABELS] = None
    default_generated_cert: GeneratedCertificate | None = None


class StoredCertificate(Certificate):
    """A certificate and the stores it belongs to."""

    stores: list[str] = []


class TLSConfiguration(Model):
    """The ``tls`` section."""

    certificates: Annotated[list[StoredCertificate], NOT_IN_LABELS] = []
    options: Annotated[dict[str, TLSOptions], NOT_IN_LABELS] = {}
    stores: dict[str, TLSStore] = {}
