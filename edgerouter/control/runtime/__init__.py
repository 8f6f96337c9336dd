"""Merged configuration and static configuration into the runtime view.

``build_runtime`` is pure and may run in a thread. A mistake disables the element
it belongs to and what depends on it; everything else serves.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.merge import merge_providers
from edgerouter.config.qualify import provider_of, qualified_all
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime.internal import (
    CHALLENGES,
    PROVIDER,
    SERVICES,
    challenge_entry_points,
    internal_configuration,
)
from edgerouter.control.runtime.layers import connect, settle
from edgerouter.control.runtime.middlewares import check_chains, decode_middleware, expand
from edgerouter.control.runtime.model import (
    ElementInfo,
    HTTPRuntime,
    MiddlewareInfo,
    RouterInfo,
    RuntimeConfiguration,
    ServiceInfo,
    Status,
    StreamRuntime,
)
from edgerouter.control.runtime.pages import check_pages
from edgerouter.control.runtime.routers import (
    RouterChecker,
    default_entry_points,
    precedences,
    split,
)
from edgerouter.control.runtime.services import check_children, check_service, mark_in_use
from edgerouter.control.runtime.tls import check_tls
from edgerouter.control.runtime.transports import transports_of

__all__ = [
    "ElementInfo",
    "HTTPRuntime",
    "MiddlewareInfo",
    "RouterInfo",
    "RuntimeConfiguration",
    "ServiceInfo",
    "Status",
    "StreamRuntime",
    "build_runtime",
]

Info = TypeVar("Info", bound=ElementInfo)


def build_runtime(
    static: StaticConfiguration,
    configurations: Mapping[str, DynamicConfiguration],
    diagnostics: Sequence[Diagnostic] = (),
) -> RuntimeConfiguration:
    """Return what becomes of the configurations of all providers.

    Args:
        static: Entry points, defaults, the API and ping.
        configurations: The newest configuration of each provider, by its name.
        diagnostics: What the providers found; kept in front of what is found here.
    """
    internal, found = internal_configuration(static)
    merged, conflicts = merge_providers({**configurations, PROVIDER: internal})
    found = [*diagnostics, *found, *conflicts]
    runtime = RuntimeConfiguration(tls=merged.tls)
    http = runtime.http
    http.servers_transports, http.broken_transports, mistakes = transports_of(static, merged)
    found += mistakes
    found += _middlewares(runtime.http, merged, static)
    found += _services(runtime.http, merged, static)
    found += _routers(runtime.http, merged, static)
    if static.edgerouter.compat == "traefik":
        found += _drop_containers(runtime.http)
    found += _streams(runtime, merged)
    found += _unread(merged)
    runtime.diagnostics = tuple(found)
    return runtime


def _info(kind: type[Info], merged: DynamicConfiguration, path: str, config: Any) -> Info:
    name = path.split(".", 2)[2]
    info = kind(
        name=name,
        provider=provider_of(name),
        config=config,
        path=path,
        source=merged.sources.get(path, ""),
        key=merged.keys.get(path, path.rpartition("@")[0]),
        notes=merged.notes.get(path, {}),
    )
    for warning in merged.warnings.get(path, ()):
        info.warn(warning)
    for error in merged.errors.get(path, ()):
        info.disable(error)
    return info


def _middlewares(
    http: HTTPRuntime, merged: DynamicConfiguration, static: StaticConfiguration
) -> list[Diagnostic]:
    found = []
    as_traefik = static.edgerouter.compat == "traefik"
    for name, config in merged.http.middlewares.items():
        info = _info(MiddlewareInfo, merged, f"http.middlewares.{name}", config)
        info.type = config.type
        found += decode_middleware(info, as_traefik=as_traefik)
        http.middlewares[name] = info
    return found + check_chains(http.middlewares)


def _services(
    http: HTTPRuntime, merged: DynamicConfiguration, static: StaticConfiguration
) -> list[Diagnostic]:
    for service in (*SERVICES, *([CHALLENGES] if challenge_entry_points(static) else [])):
        name = f"{service}@{PROVIDER}"
        http.services[name] = ServiceInfo(name, PROVIDER, None, kind="internal")
    as_traefik = static.edgerouter.compat == "traefik"
    found = []
    for name, config in merged.http.services.items():
        info = _info(ServiceInfo, merged, f"http.services.{name}", config)
        found += check_service(
            info, http.servers_transports, http.broken_transports, as_traefik=as_traefik
        )
        http.services[name] = info
        if info.is_served and config.middlewares:
            names = qualified_all(config.middlewares, info.provider)
            info.middlewares, mistakes = expand(names, http.middlewares)
            for message in mistakes:
                info.disable(message)
                found.append(info.diagnostic("error", message))
    if as_traefik:
        found += check_pages(http)
    return found + check_children(http.services, as_traefik=as_traefik)


def _routers(
    http: HTTPRuntime, merged: DynamicConfiguration, static: StaticConfiguration
) -> list[Diagnostic]:
    defaults = default_entry_points(static)
    checker = RouterChecker(static, http, defaults, precedences(static))
    families = {
        name: split(_info(RouterInfo, merged, f"http.routers.{name}", config), static, defaults)
        for name, config in merged.http.routers.items()
    }
    found = connect(families)
    for infos in families.values():
        mistakes: dict[Diagnostic, None] = {}
        for info in infos:
            mistakes.update(dict.fromkeys(checker.check(info)))
            http.routers[info.name] = info
        found += mistakes
    mark_in_use(http.services)
    return [*found, *settle(http.routers), *check_tls(http.routers, merged.tls, static)]


def _drop_containers(http: HTTPRuntime) -> list[Diagnostic]:
    """Disable everything of containers whose labels name options no middleware has, as Traefik."""
    middlewares = http.middlewares.values()
    mistaken = {
        info.source: info for info in middlewares if info.is_misread and info.config.is_text
    }
    message = "its container is left out for its mistakes (edgerouter.compat)"
    for info in (*http.routers.values(), *http.services.values(), *middlewares):
        if not mistaken.keys().isdisjoint(info.source.split(", ")):
            info.disable(message)
    return [info.diagnostic("error", message) for info in mistaken.values()]


def _streams(runtime: RuntimeConfiguration, merged: DynamicConfiguration) -> list[Diagnostic]:
    """Show TCP and UDP elements, which are not served yet, for what they are."""
    found = []
    for section, view in (("tcp", runtime.tcp), ("udp", runtime.udp)):
        model = getattr(merged, section)
        for group in ("routers", "services", "middlewares"):
            for name, config in getattr(model, group, {}).items():
                info = _info(ElementInfo, merged, f"{section}.{group}.{name}", config)
                message = f"{section.upper()} {group} are not served yet"
                info.disable(message)
                getattr(view, group)[name] = info
                found.append(info.diagnostic("warning", message))
    return found


def _unread(merged: DynamicConfiguration) -> list[Diagnostic]:
    """Say which parts of the configuration have no effect."""
    found = []
    for name in merged.http.models:
        path = f"http.models.{name}"
        remedy = "models have no effect; set the entry point's http options instead"
        source, key = merged.sources.get(path, ""), merged.keys.get(path, path)
        found.append(Diagnostic("warning", remedy, provider_of(name), source, key))
    return found
