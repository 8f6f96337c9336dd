"""``edgerouter.turnover``: what happens while containers are replaced."""

from pydantic import Field

from edgerouter.config.static.section import Seconds, Section


class Turnover(Section):
    """Times for containers that come and go; none of them counts with ``compat=traefik``."""

    hold: Seconds = Field(
        10,
        description="Time for which requests wait for a Docker service that has just lost its last"
        " server, and for which the routers of a container that is gone stay; 0: not at all.",
    )
    port_wait: Seconds = Field(
        30,
        description="Longest wait for the port of a new container without a health check;"
        " 0: it gets requests at once.",
    )
    tunnel_grace: Seconds = Field(
        30,
        description="Time that WebSockets and other tunnels have once their server is removed.",
    )
