"""Services of the runtime view: one kind each, servers that can be asked, children that exist."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic.http import (
    MirrorService,
    ServersTransport,
    Service,
    WeightedService,
)
from edgerouter.config.qualify import qualified
from edgerouter.config.types import camel_case
from edgerouter.control.runtime.as_traefik import health_error
from edgerouter.control.runtime.balancers import (
    balancer_error,
    balancer_warnings,
    sticky_error,
    sticky_warnings,
    url_error,
    weight_warnings,
)
from edgerouter.control.runtime.model import ServiceInfo, missing
from edgerouter.services.statuses import StatusRanges

KINDS = ("load_balancer", "weighted", "highest_random_weight", "mirroring", "failover")

MAX_DEPTH = 64
"""So many services may stand one above the other."""


def check_service(
    info: ServiceInfo,
    transports: Mapping[str, ServersTransport],
    broken: Mapping[str, str],
    *,
    as_traefik: bool = False,
) -> list[Diagnostic]:
    """Fill in ``kind``; what cannot work disables the service and is returned.

    ``broken`` says why servers cannot be reached over TLS under some of the transports.
    ``as_traefik``: cookies are set without what cannot be, a bad URL takes all servers along.
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
    sticky = getattr(getattr(service, kinds[0]), "sticky", None)
    if not as_traefik and (reason := sticky_error(sticky)):
        return _refuse(info, reason)
    balancer = service.load_balancer
    if balancer is None:
        if reason := composition_error(service):
            return _refuse(info, reason)
        return _warn(info, composition_warnings(service))
    if reason := balancer_error(balancer, transports, broken):
        return _refuse(info, reason)
    bad = [reason for server in balancer.servers if (reason := url_error(server.url))]
    if bad and (as_traefik or len(bad) == len(balancer.servers)):
        return [finding for reason in bad for finding in _refuse(info, reason)]
    left_out = [f"{reason}; the server is left out" for reason in bad]
    return _warn(info, [*left_out, *balancer_warnings(balancer)])


def _refuse(info: ServiceInfo, message: str) -> list[Diagnostic]:
    was_served = info.is_served
    info.disable(message)
    if was_served:  # What was only doubtful is not the reason.
        info.errors.sort(key=message.__ne__)
    return [info.diagnostic("error", message)]


def _warn(info: ServiceInfo, messages: Iterable[str]) -> list[Diagnostic]:
    found = []
    for message in messages:
        info.warn(message)
        found.append(info.diagnostic("warning", message))
    return found


def composition_error(service: Service) -> str:
    """Return why a service made of services cannot work, or an empty string."""
    for place, name in _places(service):
        if not name:
            return f"{place} is missing; name a service"
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


def composition_warnings(service: Service) -> Iterator[str]:
    """Say what of a service made of services does not work as it seems to be meant."""
    for kind in ("weighted", "highest_random_weight"):
        group = getattr(service, kind)
        if group is None:
            continue
        place = f"{camel_case(kind)}.services"
        if not group.services:
            yield f"{place} is empty, so every request gets 503; name a service"
        yield from weight_warnings(place, [child.weight for child in group.services])
        for name, count in Counter(child.name for child in group.services).items():
            if count > 1:
                yield f'{place}: "{name}" is there {count} times; name it once, with a weight'
    if service.weighted is not None:
        yield from sticky_warnings(service.weighted.sticky)
    if service.mirroring is not None:
        if not service.mirroring.mirrors:
            yield "mirroring.mirrors is empty, so nothing is mirrored; name a service"
        for index, mirror in enumerate(service.mirroring.mirrors):
            if not mirror.percent:
                place = f"mirroring.mirrors[{index}]"
                yield f'{place}: "{mirror.name}" gets no requests; set percent to 1 or more'
    if service.failover is not None and service.failover.service == service.failover.fallback:
        yield "failover: service and fallback are the same; name another fallback"


def check_children(
    services: Mapping[str, ServiceInfo], *, as_traefik: bool = False
) -> list[Diagnostic]:
    """Look at the services that services are made of.

    What is missing or disabled is left out as long as the others can answer; only mirrors never
    do. Services that contain themselves are disabled. ``as_traefik``: whatever is missing
    disables the service, and so does a health that is to be minded and not known.
    """
    heights: dict[str, int] = {}
    tangles = [
        (info, reason)
        for info in services.values()
        if info.is_served and (reason := _tangle(info, services, (), heights))
    ]
    found = [finding for info, reason in tangles for finding in _refuse(info, reason)]
    # From below, so that it is known of each service what becomes of those it is made of.
    settle = _refuse_incomplete if as_traefik else _leave_out
    for name in sorted(heights, key=heights.__getitem__):
        if heights[name]:
            found += settle(services[name], services)
    return found


def _tangle(
    info: ServiceInfo,
    services: Mapping[str, ServiceInfo],
    trail: tuple[str, ...],
    heights: dict[str, int],
) -> str:
    """Return why a service cannot be put together; ``heights`` knows those that can."""
    if info.name in heights:
        return _too_deep(trail, heights[info.name])
    if info.name in trail:
        return f"the service contains itself: {' -> '.join((*trail, info.name))}"
    if reason := _too_deep(trail, 0):
        return reason
    trail = (*trail, info.name)
    height = 0
    mirrors = _mirrors(info)
    for name in children(info):
        child = services.get(name)
        if child is None or not child.is_served:
            height = max(height, 1)
        elif not (reason := _tangle(child, services, trail, heights)):
            height = max(height, heights[name] + 1)
        elif name in mirrors:
            height = max(height, 1)
            info.left_out[name] = reason
        else:
            return reason
    heights[info.name] = height
    return ""


def _too_deep(trail: tuple[str, ...], height: int) -> str:
    if len(trail) + height <= MAX_DEPTH:
        return ""
    return f"more than {MAX_DEPTH} services stand one above the other; leave some out"


def _leave_out(info: ServiceInfo, services: Mapping[str, ServiceInfo]) -> list[Diagnostic]:
    """Leave out what ``info`` is made of and is not there; disable it if nobody else can answer."""
    for name in children(info):
        if name not in info.left_out and (reason := _absence(name, services)):
            info.left_out[name] = reason
    answering = set(children(info)) - _mirrors(info)
    if answering <= info.left_out.keys():
        return _refuse(info, next(info.left_out[n] for n in children(info) if n in answering))
    return _warn(info, [f"{reason}; it is left out" for reason in info.left_out.values()])


def _refuse_incomplete(info: ServiceInfo, services: Mapping[str, ServiceInfo]) -> list[Diagnostic]:
    """Disable a service if anything it is made of is not there."""
    absences = (info.left_out.get(name) or _absence(name, services) for name in children(info))
    reason = next(filter(None, absences), "") or health_error(info, services)
    info.left_out.clear()
    return _refuse(info, reason) if reason else []


def _absence(name: str, services: Mapping[str, ServiceInfo]) -> str:
    """Return why a service cannot be asked, or an empty string."""
    info = services.get(name)
    if info is None:
        return missing("service", name, services)
    return "" if info.is_served else f'the service "{name}" is disabled: {info.errors[0]}'


def _mirrors(info: ServiceInfo) -> set[str]:
    """Return the qualified names of services that only get copies."""
    mirroring = info.config.mirroring if info.config is not None else None
    if mirroring is None:
        return set()
    names = {qualified(mirror.name, info.provider) for mirror in mirroring.mirrors}
    return names - {qualified(mirroring.service, info.provider)}


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
    return [qualified(name, info.provider) for _, name in _places(service)]


def _places(service: Service) -> Iterator[tuple[str, str]]:
    """Yield the options that name services, and the names."""
    if service.weighted is not None:
        yield from _names("weighted.services", service.weighted.services)
    if service.highest_random_weight is not None:
        group = service.highest_random_weight.services
        yield from _names("highestRandomWeight.services", group)
    if service.mirroring is not None:
        yield "mirroring.service", service.mirroring.service
        yield from _names("mirroring.mirrors", service.mirroring.mirrors)
    if service.failover is not None:
        yield "failover.service", service.failover.service
        yield "failover.fallback", service.failover.fallback


def _names(
    place: str, group: Iterable[WeightedService | MirrorService]
) -> Iterator[tuple[str, str]]:
    for index, child in enumerate(group):
        yield f"{place}[{index}].name", child.name
