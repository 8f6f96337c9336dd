"""Services of the runtime view: one kind each, servers that can be asked, children that exist."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic.http import (
    ServerHealthCheck,
    ServersLoadBalancer,
    ServersTransport,
    Service,
)
from edgerouter.config.qualify import qualified
from edgerouter.config.types import camel_case, suggestion
from edgerouter.control.runtime.model import ServiceInfo, missing
from edgerouter.services.statuses import StatusRanges

KINDS = ("load_balancer", "weighted", "highest_random_weight", "mirroring", "failover")

STRATEGIES = ("wrr", "p2c", "hrw", "leasttime", "leastconn", "iphash", "headerhash")
"""The last three are ours."""

SCHEMES = ("http", "https")

DEFAULT_TRANSPORT = "default@internal"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_OR_TAB = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def check_service(
    info: ServiceInfo, transports: Mapping[str, ServersTransport], broken: Mapping[str, str]
) -> list[Diagnostic]:
    """Fill in ``kind``; what cannot work disables the service and is returned.

    ``broken`` says why servers cannot be reached over TLS under some of the transports.
    """
    service: Service = info.config
    kinds = [kind for kind in KINDS if getattr(service, kind) is not None]
    info.kind = camel_case(kinds[0]) if kinds else ""
    if not info.is_served:
        return []
    if len(kinds) != 1:
        several = f"has several kinds ({', '.join(map(camel_case, kinds))}); declare one service"
        what = f"{several} for each" if kinds else "has no kind; set loadBalancer"
        return _refuse(info, f"the service {what}")
    balancer = service.load_balancer
    if balancer is None:
        reason = composition_error(service)
        return _refuse(info, reason) if reason else []
    return _check_balancer(info, balancer, transports, broken)


def _refuse(info: ServiceInfo, message: str) -> list[Diagnostic]:
    info.disable(message)
    return [info.diagnostic("error", message)]


def _check_balancer(
    info: ServiceInfo,
    balancer: ServersLoadBalancer,
    transports: Mapping[str, ServersTransport],
    broken: Mapping[str, str],
) -> list[Diagnostic]:
    if balancer.strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        near = suggestion(balancer.strategy, STRATEGIES)
        return _refuse(info, f'strategy: expected one of {known}; got "{balancer.strategy}"{near}')
    if balancer.strategy == "headerhash" and not balancer.hash_header:
        return _refuse(info, "strategy headerhash needs hashHeader, the name of a header field")
    passive = {
        "passiveHealthCheck": balancer.passive_health_check is not None,
        "maxFails": bool(balancer.max_fails),
        "outlierDetection": balancer.outlier_detection is not None,
    }
    if sum(passive.values()) > 1:
        names = " and ".join(name for name, is_set in passive.items() if is_set)
        return _refuse(info, f"{names} exclude each other; set one of them")
    if balancer.health_check is not None and (mistake := check_error(balancer.health_check)):
        return _refuse(info, mistake)
    transport = balancer.servers_transport
    if transport and transport not in transports:
        return _refuse(info, missing("servers transport", transport, transports))
    reason = broken.get(transport or DEFAULT_TRANSPORT)
    if reason and any(server.url.lower().startswith("https:") for server in balancer.servers):
        option = f'the servers transport "{transport}"' if transport else "serversTransport"
        return _refuse(info, f"{option} cannot be used for https:// servers: {reason}")
    bad = [reason for server in balancer.servers if (reason := url_error(server.url))]
    if bad and len(bad) == len(balancer.servers):
        return [finding for reason in bad for finding in _refuse(info, reason)]
    found = []
    for reason in bad:
        message = f"{reason}; the server is left out"
        info.warn(message)
        found.append(info.diagnostic("warning", message))
    return found


def url_error(url: str) -> str:
    """Return why a server's URL cannot be used, or an empty string."""
    if _CONTROL_OR_TAB.search(url):
        return f"the server URL {url!r} holds a control character"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f'the server URL "{url}" cannot be parsed: {error}'
    if parts.scheme == "h2c":
        return f'"{url}" asks for HTTP/2, which is not spoken to servers yet; write http://'
    if _BAD_ESCAPE.search(parts.path):
        return f'the path of "{url}" has a "%" without two hexadecimal digits; write %25'
    spaced = " " in parts.netloc or url.startswith(" ")
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0 or spaced:
        return f'"{url}" is not a server URL such as http://10.0.0.2:8080'
    return ""


def composition_error(service: Service) -> str:
    """Return why a service made of services cannot work, or an empty string."""
    if service.mirroring is not None:
        for index, mirror in enumerate(service.mirroring.mirrors):
            if not 0 <= mirror.percent <= 100:
                place = f"mirroring.mirrors[{index}].percent"
                return f"{place}: expected 0 to 100; got {mirror.percent}"
    if service.failover is not None and service.failover.errors is not None:
        try:
            StatusRanges(service.failover.errors.status)
        except ValueError as error:
            return f"failover.errors.status: {error}"
    return ""


def check_error(check: ServerHealthCheck) -> str:
    """Return why an active health check cannot work, or an empty string."""
    if check.mode == "grpc":
        return "healthCheck.mode: gRPC checks need HTTP/2, which is not spoken to servers yet"
    if check.mode not in ("", "http"):
        return f'healthCheck.mode: expected http; got "{check.mode}"'
    if check.scheme not in ("", "http", "https"):
        return f'healthCheck.scheme: expected http or https; got "{check.scheme}"'
    if not _TOKEN.fullmatch(check.method or "GET"):
        return f"healthCheck.method: {check.method!r} is no method"
    if _CONTROL.search(check.hostname) or " " in check.hostname:
        return f"healthCheck.hostname: {check.hostname!r} is no host name"
    for name, value in check.headers.items():
        if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            return f"healthCheck.headers: {name!r}: {value!r} is no header field"
    if not 0 <= check.port <= 65535:
        return f"healthCheck.port: expected 1 to 65535; got {check.port}"
    return ""


def check_children(services: Mapping[str, ServiceInfo]) -> list[Diagnostic]:
    """Disable services made of services that are missing, disabled, or themselves."""
    found: list[Diagnostic] = []
    for info in services.values():
        if info.is_served and (reason := _child_error(info, services, ())):
            info.disable(reason)
            found.append(info.diagnostic("error", reason))
    return found


def _child_error(
    info: ServiceInfo, services: Mapping[str, ServiceInfo], trail: tuple[str, ...]
) -> str:
    if info.name in trail:
        return f"the service contains itself: {' -> '.join((*trail, info.name))}"
    for name in children(info):
        child = services.get(name)
        if child is None:
            return missing("service", name, services)
        if not child.is_served:
            return f'the service "{name}" is disabled: {child.errors[0]}'
        if reason := _child_error(child, services, (*trail, info.name)):
            return reason
    return ""


def mark_in_use(services: Mapping[str, ServiceInfo]) -> None:
    """Fill in ``in_use``, once it is known which services are named by routers."""
    named = [info for info in services.values() if info.used_by]
    while named:
        info = named.pop()
        if not info.in_use:
            info.in_use = True
            named += [services[name] for name in children(info) if name in services]


def children(info: ServiceInfo) -> list[str]:
    """Return the qualified names of the services that ``info`` is made of."""
    service: Service | None = info.config
    if service is None:
        return []
    names: list[str] = []
    for group in (service.weighted, service.highest_random_weight):
        if group is not None:
            names += _names(group.services)
    if service.mirroring is not None:
        names += [service.mirroring.service, *_names(service.mirroring.mirrors)]
    if service.failover is not None:
        names += [service.failover.service, service.failover.fallback]
    return [qualified(name, info.provider) for name in names]


def _names(group: Iterable[object]) -> list[str]:
    return [str(getattr(child, "name", "")) for child in group]
