"""Dynamic configuration: what providers say about routers, services, middlewares and TLS.

The models carry Traefik's names and defaults. An element path such as
``http.routers.api`` names one element everywhere: in diagnostics and in the
companion maps of ``DynamicConfiguration``.
"""

from edgerouter.config.dynamic.base import Model
from edgerouter.config.dynamic.http import HTTPConfiguration
from edgerouter.config.dynamic.tcp import TCPConfiguration
from edgerouter.config.dynamic.tls import TLSConfiguration
from edgerouter.config.dynamic.udp import UDPConfiguration

__all__ = [
    "DynamicConfiguration",
    "HTTPConfiguration",
    "Model",
    "TCPConfiguration",
    "TLSConfiguration",
    "UDPConfiguration",
]

ABSENT = "absent"
"""The note on a load balancer without servers: why it has not got the one that it would have."""


class DynamicConfiguration(Model):
    """A complete configuration of one provider, or of one container or file of it."""

    http: HTTPConfiguration = HTTPConfiguration()
    tcp: TCPConfiguration = TCPConfiguration()
    udp: UDPConfiguration = UDPConfiguration()
    tls: TLSConfiguration = TLSConfiguration()

    sources: dict[str, str] = {}
    """Where each element stands: ``container shop-api-1`` or a file's path, by element path."""
    keys: dict[str, str] = {}
    """The key of each element as the user wrote it, e.g. ``traefik.http.routers.api``."""
    notes: dict[str, dict[str, str]] = {}
    """Facts shown in the API, e.g. which rule chose network and port, by element path."""
    warnings: dict[str, list[str]] = {}
    """What is doubtful about an element; it serves all the same."""
    errors: dict[str, list[str]] = {}
    """What is wrong with an element; it is shown with its errors and serves nothing."""
