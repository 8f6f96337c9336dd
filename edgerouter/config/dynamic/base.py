"""What every model of dynamic configuration has in common."""

from pydantic import BaseModel, ConfigDict

from edgerouter.config.types import camel_case


class Model(BaseModel):
    """Frozen, nothing unknown; snake_case in Python, Traefik's camelCase everywhere else."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
    )


class Domain(Model):
    """Names for one certificate."""

    main: str = ""
    sans: list[str] = []


class Certificate(Model):
    """A certificate and its key: file paths or PEM text."""

    cert_file: str = ""
    key_file: str = ""


class SubjectAltName(Model):
    """A name that must stand in a server's certificate."""

    type: str = ""
    value: str = ""


class Spiffe(Model):
    """Whom to trust in a SPIFFE mesh."""

    ids: list[str] = []
    trust_domain: str = ""


class ProxyProtocol(Model):
    """Which PROXY protocol header is sent."""

    version: int = 2


class ChildHealthCheck(Model):
    """Switches on that a child's health counts (``healthCheck: {}``)."""
