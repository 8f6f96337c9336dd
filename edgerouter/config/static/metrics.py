"""``metrics`` and ``tracing``."""

from typing import Annotated

from pydantic import Field

from edgerouter.config.static.otlp import OTLP
from edgerouter.config.static.section import Seconds, Section
from edgerouter.config.types import ALLOW_EMPTY

OTLP_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class _Labels(Section):
    """Which series exist; the same for every kind of metrics."""

    add_entry_points_labels: bool = Field(True, description="Metrics of entry points.")
    add_routers_labels: bool = Field(False, description="Metrics of routers.")
    add_services_labels: bool = Field(True, description="Metrics of services.")


class _Push(_Labels):
    """Metrics that are sent in intervals."""

    push_interval: Seconds = Field(10, description="Interval between two transmissions.")


class Prometheus(_Labels):
    """``metrics.prometheus``: served at /metrics."""

    buckets: list[float] = Field(
        default_factory=lambda: [0.1, 0.3, 1.2, 5.0],
        description="Upper bounds of the latency histogram, in seconds.",
    )
    entry_point: str = Field("traefik", description="Entry point that serves /metrics.")
    manual_routing: bool = Field(
        False, description="Serve it only through a router to prometheus@internal."
    )
    header_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels taken from request headers."
    )


class Datadog(_Push):
    """``metrics.datadog``."""

    address: str = Field("localhost:8125", description="Agent as host:port.")
    prefix: str = Field("traefik", description="Prefix of the names.")


class StatsD(_Push):
    """``metrics.statsD``."""

    address: str = Field("localhost:8125", description="Daemon as host:port.")
    prefix: str = Field("traefik", description="Prefix of the names.")


class InfluxDB2(_Push):
    """``metrics.influxDB2``."""

    address: str = Field("http://localhost:8086", description="URL of the database.")
    token: str = Field("", description="Access token.")
    org: str = Field("", description="Organisation.")
    bucket: str = Field("", description="Bucket.")
    additional_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels added to every series."
    )


class OTLPMetrics(OTLP, _Push):
    """``metrics.otlp``."""

    explicit_boundaries: list[float] = Field(
        default_factory=lambda: list(OTLP_BOUNDARIES),
        description="Upper bounds of the latency histogram, in seconds.",
    )
    service_name: str = Field("traefik", description="Value of service.name.")
    resource_attributes: dict[str, str] = Field(
        default_factory=dict, description="Further resource attributes."
    )


class Metrics(Section):
    """``metrics``."""

    add_internals: bool = Field(False, description="Also count ping, dashboard and the like.")
    prometheus: Annotated[Prometheus | None, ALLOW_EMPTY] = Field(None, description="Prometheus.")
    datadog: Annotated[Datadog | None, ALLOW_EMPTY] = Field(None, description="Datadog.")
    statsd: Annotated[StatsD | None, ALLOW_EMPTY] = Field(
        None, alias="statsD", description="StatsD."
    )
    influxdb2: Annotated[InfluxDB2 | None, ALLOW_EMPTY] = Field(
        None, alias="influxDB2", description="InfluxDB 2."
    )
    otlp: Annotated[OTLPMetrics | None, ALLOW_EMPTY] = Field(None, description="OpenTelemetry.")


class Tracing(Section):
    """``tracing``."""

    service_name: str = Field("traefik", description="Value of service.name.")
    resource_attributes: dict[str, str] = Field(
        default_factory=dict, description="Further resource attributes."
    )
    global_attributes: dict[str, str] = Field(
        default_factory=dict, description="Old name of resourceAttributes."
    )
    captured_request_headers: list[str] = Field(
        default_factory=list, description="Request headers that become attributes."
    )
    captured_response_headers: list[str] = Field(
        default_factory=list, description="Response headers that become attributes."
    )
    safe_query_params: list[str] = Field(
        default_factory=list, description="Query parameters that are not hidden."
    )
    sample_rate: float = Field(1.0, ge=0, le=1, description="Share of requests traced, 0 to 1.")
    add_internals: bool = Field(False, description="Also trace ping, dashboard and the like.")
    otlp: Annotated[OTLP | None, ALLOW_EMPTY] = Field(
        None, description="Send traces to an OpenTelemetry collector."
    )
