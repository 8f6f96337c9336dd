"""``otlp`` blocks: where OpenTelemetry data is sent; the same in logs, metrics and tracing."""

from typing import Annotated

from pydantic import Field

from edgerouter.config.static.section import Section
from edgerouter.config.types import ALLOW_EMPTY


class ClientTLS(Section):
    """TLS towards a collector."""

    ca: str = Field("", description="File or text of the authority's certificate.")
    cert: str = Field("", description="File or text of the client certificate.")
    key: str = Field("", description="File or text of the client key.")
    insecure_skip_verify: bool = Field(False, description="Accept any server certificate.")


class OTLPGRPC(Section):
    """``otlp.grpc``."""

    endpoint: str = Field("localhost:4317", description="Collector as host:port.")
    insecure: bool = Field(False, description="Talk to it without TLS.")
    tls: ClientTLS | None = Field(None, description="TLS towards the collector.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send.")


class OTLPHTTP(Section):
    """``otlp.http``."""

    endpoint: str = Field("https://localhost:4318", description="URL of the collector.")
    tls: ClientTLS | None = Field(None, description="TLS towards the collector.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send.")


class OTLP(Section):
    """The two ways to a collector."""

    grpc: Annotated[OTLPGRPC | None, ALLOW_EMPTY] = Field(None, description="Send over gRPC.")
    http: Annotated[OTLPHTTP | None, ALLOW_EMPTY] = Field(None, description="Send over HTTP.")


class OTLPLogs(OTLP):
    """``otlp`` of ``log`` and ``accessLog``."""

    service_name: str = Field("traefik", description="Value of service.name.")
    resource_attributes: dict[str, str] = Field(
        default_factory=dict, description="Further resource attributes."
    )
