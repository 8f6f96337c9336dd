"""Services with ``edgerouter.compat=traefik``: what disables them, and what options come to."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgerouter.config.qualify import qualified
from edgerouter.control.runtime.model import ServiceInfo

_NOT_IN_PATH = re.compile(r"[^\x20-\x3a\x3c-\x7e]")
"""What Go leaves out of the path of a cookie."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_COOKIE_DOMAIN = re.compile(rf"(?=.*[A-Za-z]){_LABEL}(?:\.{_LABEL})*")


def health_error(info: ServiceInfo, services: Mapping[str, ServiceInfo]) -> str:
    """Return why a service cannot watch the health of those it is made of, or an empty string."""
    for name in _watched(info):
        if reason := _unwatchable(name, services):
            return reason
    return ""


def _watched(info: ServiceInfo) -> Iterator[str]:
    """Yield the qualified names of the services whose health a service wants to know."""
    service = info.config
    names: list[str] = []
    for group in (service.weighted, service.highest_random_weight):
        if group is not None and group.health_check is not None:
            names += (child.name for child in group.services)
    if (failover := service.failover) is not None:
        if failover.errors is None or not failover.errors.status:
            names.append(failover.service)
        if failover.health_check is not None:
            names.append(failover.fallback)
    return (qualified(name, info.provider) for name in names)


def _unwatchable(name: str, services: Mapping[str, ServiceInfo]) -> str:
    """Return why nobody learns of the health of a service, or an empty string."""
    info = services[name]
    if info.config is None:
        return f'the health of "{name}" is not known'
    if all(kind.health_check is None for kind in _kinds(info)):
        return f'the service "{name}" has no healthCheck'
    mirroring = info.config.mirroring
    if mirroring is None:
        return ""
    return _unwatchable(qualified(mirroring.service, info.provider), services)


def _kinds(info: ServiceInfo) -> Iterator[Any]:
    service = info.config
    kinds = (service.load_balancer, service.weighted, service.highest_random_weight)
    return (kind for kind in (*kinds, service.mirroring, service.failover) if kind is not None)


def options_as_traefik(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a service, as they are sent, as Traefik takes them."""
    cookie = (options.get("sticky") or {}).get("cookie")
    if cookie is not None:
        cookie["path"] = _NOT_IN_PATH.sub("", cookie["path"])
        cookie["domain"] = _domain(cookie["domain"])
    if options.get("strategy") == "p2c":
        for server in options["servers"]:
            server["weight"] = 1
    return options


def _domain(domain: str) -> str:
    """Return a cookie's domain, or an empty string where Go sends none."""
    if len(domain) <= 255 and _COOKIE_DOMAIN.fullmatch(domain.removeprefix(".")):
        return domain
    try:
        return str(ipaddress.IPv4Address(domain))
    except ValueError:
        return ""
