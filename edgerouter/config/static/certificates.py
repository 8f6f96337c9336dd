"""``edgerouter``: our own options of certificates."""

from typing import Annotated, Literal

from pydantic import Field

from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import ALLOW_EMPTY

WEEK = 7 * 86400


class InternalCA(Section):
    """``edgerouter.internalCA``."""

    enabled: bool = Field(
        True,
        description="Certify the names of TLS routers without a resolver; off with compat=traefik.",
    )
    storage: str = Field("internal-ca", description="Directory that keeps root and intermediate.")
    leaf_lifetime: Seconds = Field(
        WEEK, ge=600, description="Lifetime of certificates; renewed at half of it."
    )


class Internal(Section):
    """``edgerouter.certificatesResolvers.<name>.internal``."""


class DNSAccount(Section):
    """``edgerouter.certificatesResolvers.<name>.dnsAccounts.<account>``."""

    provider: str = Field("", description="Name of the DNS provider.")
    zones: list[str] = Field(
        default_factory=list, description="Zones it is for; none: all that no other is for."
    )
    env_file: str = Field("", description="File with the provider's variables, NAME=value.")


class OwnResolver(Section):
    """``edgerouter.certificatesResolvers.<name>``: what Traefik's resolver does not have."""

    internal: Annotated[Internal | None, ALLOW_EMPTY] = Field(
        None, description="Obtain certificates from the internal CA."
    )
    dns_accounts: dict[str, DNSAccount] = Field(
        default_factory=dict, description="Further accounts of dnsChallenge, by zone."
    )
    wildcards: list[str] = Field(
        default_factory=list,
        description="Domains whose direct subdomains share the certificate of the wildcard;"
        " auto: all that somebody can own; needs dnsChallenge.",
    )
    preflight: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Look whether names lead here before an order; auto: for public CAs.",
    )
    staging_server: str | None = Field(
        None,
        description="Directory where an order that failed is rehearsed; empty: none;"
        " unset: Let's Encrypt's for Let's Encrypt.",
    )


class OnDemand(Section):
    """``edgerouter.onDemand``: certificates at the first handshake."""

    resolver: str = Field("", description="Certificate resolver; empty: no certificates on demand.")
    ask: str = Field("", description="URL that allows a name with 2xx; ?domain= is added.")
    hosts: list[str] = Field(
        default_factory=list, description="Names that are allowed; *. stands for one label."
    )
    burst: int = Field(10, ge=1, description="New certificates in an interval.")
    interval: Seconds = Field(120, gt=0, description="Time over which burst counts.")


class Export(Section):
    """``edgerouter.certificatesExport``."""

    directory: str = Field("", description="Directory for copies of certificates; empty: none.")
    formats: list[Literal["pem", "pfx"]] = Field(["pem"], description="pem, pfx or both.")
    password: str = Field("", exclude=True, description="Password of PFX files.")
    group: int | None = Field(
        None, ge=0, description="Number of a group that may read the copies, too."
    )
    command: str = Field(
        "", description="Program that is run after a change, with the directory as argument."
    )
