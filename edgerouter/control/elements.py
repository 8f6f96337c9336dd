"""Routers, services and middlewares of the runtime view as Traefik's API shows them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edgerouter.config.decode import decode
from edgerouter.config.dynamic.http import ServersLoadBalancer
from edgerouter.config.qualify import qualified_all
from edgerouter.config.schema import fields_of
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.entrypoints import EntryPointObservability
from edgerouter.config.types import Ours
from edgerouter.control.listing import Item
from edgerouter.control.representation import hidden, represent
from edgerouter.control.runtime import ElementInfo, MiddlewareInfo, RouterInfo, ServiceInfo
from edgerouter.middleware import options_of
from edgerouter.services.sticky import cleaned, default_name

UNSHOWN_DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "buffering": ("memRequestBodyBytes", "memResponseBodyBytes"),
    "compress": ("minResponseBodyBytes",),
    "forwardAuth": ("maxResponseBodySize",),
    "ipAllowList": ("rejectStatusCode",),
    "rateLimit": ("statusCode",),
    "stripPrefix": ("forceSlash",),
}
"""Options that Traefik's API shows only where they were set."""


def router_item(info: RouterInfo, static: StaticConfiguration, errors: Sequence[str]) -> Item:
    """Return an HTTP router; ``errors`` are those of workers."""
    shown: Item = represent(info.config)
    shown["entryPoints"] = _entry_points(info, static)
    shown["middlewares"] = _middlewares(info, static)
    shown["priority"] = info.priority if info.using or info.parents else info.config.priority
    if info.config.parent_refs:
        shown["parentRefs"] = info.parents or info.config.parent_refs
    else:
        shown["observability"] = {
            **represent(EntryPointObservability()),
            **represent(info.observability),
        }
    if info.tls is not None:
        shown["tls"] = {"options": "default", **represent(info.tls)}
    number = str(shown["priority"])
    empty = [name for name in ("entryPoints", "middlewares", "priority") if not shown[name]]
    for name in empty:
        del shown[name]
    return {**shown, **_state(info, errors), **_identity(info), "priorityStr": number}


def service_item(info: ServiceInfo, down: Collection[str], errors: Sequence[str]) -> Item:
    """Return an HTTP service; the servers in ``down`` are shown so."""
    shown: Item = represent(info.config) if info.config is not None else {}
    own = _own_options(shown)
    _name_cookies(shown, info.name)
    shown |= {**_state(info, errors), **_identity(info, **own)}
    if info.config is None:
        return shown
    shown["type"] = info.kind.lower()
    balancer = info.config.load_balancer
    if balancer is not None and balancer.servers and info.in_use and info.is_served:
        shown["serverStatus"] = {
            server.url: "DOWN" if server.down or server.url in down else "UP"
            for server in balancer.servers
        }
    return shown


def _own_options(shown: Item) -> Item:
    """Take those options of a load balancer away that Traefik does not have, and return them."""
    balancer = shown.get("loadBalancer", {})
    names = [spec.alias for spec in fields_of(ServersLoadBalancer) if spec.marked(Ours)]
    own = {name: balancer.pop(name) for name in names if name in balancer}
    return {"loadBalancer": own} if own else {}


def _name_cookies(shown: Item, service: str) -> None:
    """Fill in the names of sticky cookies that have none of their own."""
    for kind in ("loadBalancer", "weighted"):
        sticky = shown.get(kind, {}).get("sticky", {})
        if (cookie := sticky.get("cookie")) is not None:
            name = cleaned(cookie.get("name", "")) or default_name(service)
            sticky["cookie"] = {**cookie, "name": name}


def middleware_item(info: MiddlewareInfo, errors: Sequence[str]) -> Item:
    """Return an HTTP middleware with the options in force, defaults included."""
    options = {info.type: _options(info)} if info.type else {}
    shown: Item = {**options, **_state(info, errors), **_identity(info)}
    return {**shown, "type": info.type.lower()}


def _options(info: MiddlewareInfo) -> Any:
    raw = info.config.options
    if info.options is None:
        return hidden(raw)
    written = {str(name).lower() for name in raw} if isinstance(raw, Mapping) else set()
    options = info.options
    if info.type in ("chain", "errors") and written:
        # In force are qualified names; shown are those that were written.
        options = decode(options_of(info.type), raw, text=info.config.is_text).value
    shown: Item = represent(options)
    for name in UNSHOWN_DEFAULTS.get(info.type, ()):
        if name.lower() not in written:
            shown.pop(name, None)
    return shown


def stream_item(info: ElementInfo, *, is_router: bool) -> Item:
    """Return an element of TCP or UDP."""
    shown = {**represent(info.config), **_state(info, ()), **_identity(info)}
    if is_router:
        shown["priorityStr"] = str(shown.get("priority", 0))
    return shown


def _entry_points(info: RouterInfo, static: StaticConfiguration) -> list[str]:
    """Return the names as written, of a copy for one entry point that one alone."""
    written = info.config.entry_points
    names = [name for name in written if name in info.using or name not in static.entry_points]
    return names or info.using


def _middlewares(info: RouterInfo, static: StaticConfiguration) -> list[str]:
    """Return the entry point's and the router's own; chains stay chains here."""
    before: list[str] = []
    if len(info.using) == 1 and not info.config.parent_refs:
        before = static.entry_points[info.using[0]].http.middlewares
    return qualified_all([*before, *info.config.middlewares], info.provider)


def _state(info: ElementInfo, worker_errors: Sequence[str]) -> Item:
    state: Item = {"status": "disabled" if worker_errors else info.status}
    errors = [*info.errors, *(error for error in worker_errors if error not in info.errors)]
    if errors:
        state["error"] = errors
    if info.using:
        state["using"] = info.using
    if info.used_by:
        state["usedBy"] = sorted(info.used_by)
    return state


def _identity(info: ElementInfo, **options: Any) -> Item:
    """Return who it is; ``options`` are those that Traefik does not have."""
    facts: dict[str, Any] = {"source": info.source, "key": info.key, "notes": info.notes, **options}
    own = {name: fact for name, fact in facts.items() if fact}
    shown: Item = {"name": info.name, "provider": info.provider}
    return {**shown, "edgerouter": own} if own else shown
