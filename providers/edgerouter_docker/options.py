"""The static options under ``providers.docker``: Traefik's names and defaults."""

from typing import Literal

from pydantic import Field, field_validator

from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import Duration
from edgerouter_docker.constraints import parse_constraints

DEFAULT_RULE = "Host(`{{ normalize .Name }}`)"
DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"


class ClientTLS(Section):
    """How to speak TLS to the engine; each value is a file name or PEM text."""

    ca: str = Field("", description="Certificate authority: a file or PEM text.")
    cert: str = Field("", description="Client certificate: a file or PEM text.")
    key: str = Field("", description="Key of the client certificate: a file or PEM text.")
    insecure_skip_verify: bool = Field(False, description="Accept any certificate of the engine.")


class Options(Section):
    """``providers.docker``."""

    endpoint: str = Field(
        DEFAULT_ENDPOINT,
        description="The engine: unix://, tcp://, http://, https:// or ssh://. When it is not set,"
        " DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH count.",
    )
    exposed_by_default: bool = Field(
        True, description="Route to containers that do not say traefik.enable=true."
    )
    constraints: str = Field(
        "", description="Which containers count: Label(), LabelRegex(), &&, ||, ! and parentheses."
    )
    default_rule: str = Field(
        DEFAULT_RULE, description="Rule of routers without one: a Go template."
    )
    network: str = Field("", description="Network used when a container is on several.")
    use_bind_port_ip: bool = Field(
        False,
        alias="useBindPortIP",
        description="Use the host address and port that a container port is published at.",
    )
    watch: bool = Field(True, description="Follow the engine's events.")
    allow_empty_services: bool = Field(
        False,
        description="Keep the routes of unhealthy and starting containers, without servers;"
        " unless it is set, only edgerouter.compat=traefik leaves them out.",
    )
    http_client_timeout: Duration = Field(
        0,
        alias="httpClientTimeout",
        ge=0,
        description="Longest time for one call to the engine; 0: 60 s.",
    )
    username: str = Field("", description="User name for basic authentication at the engine.")
    password: str = Field(
        "", repr=False, description="Password for basic authentication at the engine."
    )
    tls: ClientTLS | None = Field(None, description="TLS towards the engine.")
    compat: Literal["", "traefik"] = Field(
        "", description="Set by edgerouter.compat: choose networks and ports as Traefik does."
    )

    hold: Seconds = Field(
        0, description="Set by edgerouter.turnover.hold: for how long services hold requests."
    )
    port_wait: Seconds = Field(
        0, description="Set by edgerouter.turnover.portWait: longest wait for a port to answer."
    )

    @field_validator("constraints")
    @classmethod
    def _constraints_parse(cls, text: str) -> str:
        parse_constraints(text)
        return text
