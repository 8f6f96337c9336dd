"""``certificatesResolvers.<name>``: certificates obtained by ACME (RFC 8555).

As in Traefik, values that make no sense end no router: ``control/certificates/options.py``
checks them.
"""

from typing import Annotated

from pydantic import Field

from edgerouter.config.static.section import Section
from edgerouter.config.types import ALLOW_EMPTY, Duration

KEY_TYPES = ("EC256", "EC384", "RSA2048", "RSA4096", "RSA8192")


class ExternalAccountBinding(Section):
    """``acme.eab`` (RFC 8555, section 7.3.4)."""

    kid: str = Field("", description="Key identifier.")
    hmac_encoded: str = Field("", exclude=True, description="HMAC key, base64url.")


class HTTPChallenge(Section):
    """``acme.httpChallenge``."""

    entry_point: str = Field("", description="Entry point that answers the challenge.")
    delay: Duration = Field(0, description="Pause before the challenge is checked.")


class TLSChallenge(Section):
    """``acme.tlsChallenge``."""

    delay: Duration = Field(0, description="Pause before the challenge is checked.")


class DNSPropagation(Section):
    """``acme.dnsChallenge.propagation``."""

    disable_checks: bool = Field(False, description="Do not check the record at all.")
    disable_ans_checks: bool = Field(
        False, alias="disableANSChecks", description="Do not check authoritative name servers."
    )
    require_all_rns: bool = Field(
        False, alias="requireAllRNS", description="Check all recursive name servers."
    )
    delay_before_checks: Duration = Field(0, description="Pause before the first check.")


class DNSChallenge(Section):
    """``acme.dnsChallenge``."""

    provider: str = Field("", description="Name of the DNS provider.")
    resolvers: list[str] = Field(default_factory=list, description="Name servers to ask.")
    propagation: Annotated[DNSPropagation | None, ALLOW_EMPTY] = Field(
        None, description="Checks of the record."
    )
    delay_before_check: Duration = Field(
        0, description="Old name of propagation.delayBeforeChecks."
    )
    disable_propagation_check: bool = Field(
        False, description="Old name of propagation.disableChecks."
    )


class ACME(Section):
    """``certificatesResolvers.<name>.acme``."""

    email: str = Field("", description="Address of the account.")
    ca_server: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory", description="Directory of the CA."
    )
    preferred_chain: str = Field("", description="Common name of the preferred root.")
    profile: str = Field("", description="Certificate profile of the CA.")
    email_addresses: list[str] = Field(
        default_factory=list, description="Addresses in the certificate request."
    )
    disable_common_name: bool = Field(False, description="No common name in the request.")
    storage: str = Field("acme.json", description="File that keeps account and certificates.")
    key_type: str = Field(
        "RSA4096",
        description=f"Kind of private keys: {', '.join(KEY_TYPES[:-1])} or {KEY_TYPES[-1]}.",
    )
    eab: ExternalAccountBinding | None = Field(None, description="External account binding.")
    certificates_duration: int = Field(
        2160,
        description="Expected lifetime in hours; counts with compat=traefik, otherwise"
        " the certificate says it.",
    )
    client_timeout: Duration = Field(120, description="Longest time of an exchange with the CA.")
    client_response_header_timeout: Duration = Field(
        30, description="Longest wait for the head of an answer of the CA."
    )
    certificate_timeout: Duration = Field(30, description="Longest wait for a certificate.")
    ca_certificates: list[str] = Field(
        default_factory=list, description="Files or texts of certificates to trust for the CA."
    )
    ca_system_cert_pool: bool = Field(
        False, description="Trust the system's certificates besides caCertificates."
    )
    ca_server_name: str = Field("", description="Name expected in the CA's certificate.")
    dns_challenge: Annotated[DNSChallenge | None, ALLOW_EMPTY] = Field(None, description="DNS-01.")
    http_challenge: Annotated[HTTPChallenge | None, ALLOW_EMPTY] = Field(
        None, description="HTTP-01."
    )
    tls_challenge: Annotated[TLSChallenge | None, ALLOW_EMPTY] = Field(
        None, description="TLS-ALPN-01."
    )


class Tailscale(Section):
    """``certificatesResolvers.<name>.tailscale``."""


class CertificatesResolver(Section):
    """``certificatesResolvers.<name>``."""

    acme: ACME | None = Field(None, description="Obtain certificates by ACME.")
    tailscale: Annotated[Tailscale | None, ALLOW_EMPTY] = Field(
        None, description="Obtain certificates from Tailscale."
    )
