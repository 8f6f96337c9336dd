"""``edgerouter``: options Traefik does not have."""

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, field_validator

from edgerouter.config.static.certificates import Export, InternalCA, OnDemand, OwnResolver
from edgerouter.config.static.section import Section
from edgerouter.config.static.turnover import Turnover

_PROXIES = ("cloudflare", "fastly", "private")


class RealIp(Section):
    """``edgerouter.realIp``: as the middleware ``realIp``, for all entry points and their rules."""

    trusted: list[str] = Field(
        [], description="cloudflare, fastly, private, networks, files with networks; empty: off."
    )
    header: str = Field("", description="The header with the client's address; empty: by proxy.")

    @field_validator("trusted")
    @classmethod
    def _check(cls, entries: list[str]) -> list[str]:
        for entry in entries:
            if entry.lower() not in _PROXIES and not entry.startswith("/"):
                try:
                    ip_network(entry, strict=False)
                except ValueError:
                    known = ", ".join(_PROXIES)
                    message = f"{entry!r} is neither {known} nor a network nor an absolute path"
                    raise ValueError(message) from None
        return entries


class Own(Section):
    """``edgerouter``."""

    workers: int = Field(
        0, ge=0, le=1024, description="Worker processes; 0: one per CPU of this machine."
    )
    compat: Literal["", "traefik"] = Field(
        "", description="traefik: do as Traefik also where edgerouter has another default."
    )
    runtime_dir: str = Field(
        "", description="Directory for private sockets; empty: a new temporary directory."
    )
    real_ip: RealIp = Field(
        default_factory=RealIp, description="Clients behind trusted proxies, for all entry points."
    )
    turnover: Turnover = Field(default_factory=Turnover, description="Containers that come and go.")
    internal_ca: InternalCA = Field(
        default_factory=InternalCA, alias="internalCA", description="The internal CA."
    )
    certificates_resolvers: dict[str, OwnResolver] = Field(
        default_factory=dict, description="Our own options of certificate resolvers."
    )
    on_demand: OnDemand = Field(
        default_factory=OnDemand, description="Certificates at the first handshake."
    )
    certificates_export: Export = Field(
        default_factory=Export, description="Copies of certificates for other programs."
    )
