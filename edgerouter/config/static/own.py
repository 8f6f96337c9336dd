"""``edgerouter``: options Traefik does not have."""

from typing import Literal

from pydantic import Field

from edgerouter.config.static.certificates import Export, InternalCA, OnDemand, OwnResolver
from edgerouter.config.static.section import Section


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
