"""Pages of ``errors`` that need the middleware itself: fine here, a circle in Traefik.

With ``edgerouter.compat=traefik`` such middlewares are disabled, and the services that use them.
"""

from collections.abc import Iterator

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.control.runtime.middlewares import disabled
from edgerouter.control.runtime.model import ElementInfo, HTTPRuntime
from edgerouter.control.runtime.services import children

_REASON = "service: its pages need the middleware itself (edgerouter.compat); name another service"


def check_pages(http: HTTPRuntime) -> list[Diagnostic]:
    """Disable what a circle of pages makes impossible, and return why."""
    middlewares, services = http.middlewares, http.services
    circles = {name for name in middlewares if name in _needed(name, http)}
    found = []
    for name in circles:
        found += _refuse(middlewares[name], _REASON)
    for service in services.values():
        for name in circles.intersection(service.middlewares):
            found += _refuse(service, disabled(middlewares[name]))
    return found


def _refuse(info: ElementInfo, message: str) -> list[Diagnostic]:
    info.disable(message)
    return [info.diagnostic("error", message)]


def _needed(name: str, http: HTTPRuntime) -> set[str]:
    """Return the middlewares that the pages of the middleware ``name`` need."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(_pages(name, http))
    while waiting:
        service = http.services.get(each := waiting.pop())
        if service is None or each in seen:
            continue
        seen.add(each)
        waiting += children(service)
        for middleware in service.middlewares:
            found.add(middleware)
            waiting += _pages(middleware, http)
    return found


def _pages(name: str, http: HTTPRuntime) -> Iterator[str]:
    info = http.middlewares.get(name)
    if info is not None and info.is_served and info.type == "errors":
        yield info.options.service
