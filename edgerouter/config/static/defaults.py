"""What the configuration becomes where the user said nothing: entry points and the log level."""

from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.entrypoints import EntryPoint
from edgerouter.config.static.internal import INTERNAL_ENTRY_POINT

DEFAULT_ENTRY_POINT = "http"
TRAEFIK_READ_TIMEOUT = 60.0

LOG_LEVEL = "INFO"
"""Why a router is disabled or a request matched nothing has to be seen without asking for it."""

TRAEFIK_LOG_LEVEL = "ERROR"


def with_defaults(configuration: StaticConfiguration) -> StaticConfiguration:
    """Add the implied entry points, apply ``compat`` and ``global`` to them, set the log level."""
    entry_points = dict(configuration.entry_points)
    if not entry_points:
        entry_points[DEFAULT_ENTRY_POINT] = EntryPoint(address=":80")
    if _needs_internal(configuration):
        entry_points.setdefault(INTERNAL_ENTRY_POINT, EntryPoint(address=":8080"))
    traefik = configuration.edgerouter.compat == "traefik"
    not_append = configuration.global_.not_append_x_forwarded_for
    entry_points = {
        name: _adjusted(entry_point, traefik=traefik, not_append=not_append)
        for name, entry_point in entry_points.items()
    }
    log = configuration.log
    if not log.level:
        log = log.model_copy(update={"level": TRAEFIK_LOG_LEVEL if traefik else LOG_LEVEL})
    return configuration.model_copy(update={"entry_points": entry_points, "log": log})


def _needs_internal(configuration: StaticConfiguration) -> bool:
    api, ping, metrics = configuration.api, configuration.ping, configuration.metrics
    prometheus = metrics.prometheus if metrics else None
    return (api is not None and api.insecure) or any(
        service is not None
        and not service.manual_routing
        and service.entry_point == INTERNAL_ENTRY_POINT
        for service in (ping, prometheus)
    )


def _adjusted(entry_point: EntryPoint, *, traefik: bool, not_append: bool) -> EntryPoint:
    if traefik and entry_point.transport.responding_timeouts.read_timeout is None:
        timeouts = entry_point.transport.responding_timeouts.model_copy(
            update={"read_timeout": TRAEFIK_READ_TIMEOUT}
        )
        transport = entry_point.transport.model_copy(update={"responding_timeouts": timeouts})
        entry_point = entry_point.model_copy(update={"transport": transport})
    if not_append:
        headers = entry_point.forwarded_headers.model_copy(
            update={"not_append_x_forwarded_for": True}
        )
        entry_point = entry_point.model_copy(update={"forwarded_headers": headers})
    return entry_point
