"""``edgerouter``: options Traefik does not have."""

from typing import Literal

from pydantic import Field

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
