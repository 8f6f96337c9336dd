"""UDP routers and services."""

from typing import Annotated

from edgerouter.config.dynamic.base import Model
from edgerouter.config.types import LABEL_ONLY, NOT_IN_LABELS, LabelName, Names


class UDPRouter(Model):
    """Which entry points feed which service."""

    entry_points: Names = []
    service: str = ""


class UDPServer(Model):
    """One server of a UDP load balancer."""

    address: Annotated[str, NOT_IN_LABELS] = ""
    port: Annotated[str, LABEL_ONLY] = ""


class UDPServersLoadBalancer(Model):
    """Sessions are spread over servers."""

    servers: Annotated[list[UDPServer], LabelName("server")] = []


class UDPWeightedService(Model):
    """A child of a weighted UDP service."""

    name: str = ""
    weight: int = 1


class UDPWeightedRoundRobin(Model):
    """Sessions are spread over services by weight."""

    services: list[UDPWeightedService] = []


class UDPService(Model):
    """Where sessions go: exactly one of the kinds is set."""

    load_balancer: UDPServersLoadBalancer | None = None
    weighted: Annotated[UDPWeightedRoundRobin | None, NOT_IN_LABELS] = None


class UDPConfiguration(Model):
    """The ``udp`` section."""

    routers: dict[str, UDPRouter] = {}
    services: dict[str, UDPService] = {}
