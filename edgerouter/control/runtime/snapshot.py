"""The runtime view as workers get it: what is in service, ready to be written as JSON."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from edgerouter.config.dynamic import ABSENT
from edgerouter.config.dynamic.http import Router
from edgerouter.config.qualify import qualified
from edgerouter.control.runtime.as_traefik import options_as_traefik
from edgerouter.control.runtime.balancers import url_error
from edgerouter.control.runtime.model import RouterInfo, RuntimeConfiguration, ServiceInfo
from edgerouter.control.runtime.tls import options_name


def snapshot_of(
    runtime: RuntimeConfiguration, version: int, *, as_traefik: bool = False
) -> dict[str, Any]:
    """Return the snapshot of ``docs/architecture.md``; ``edgerouter.compat`` makes it Traefik's."""
    http = runtime.http
    return {
        "type": "snapshot",
        "version": version,
        "routers": {
            name: _router(info) | _layers(info, http.routers)
            for name, info in http.routers.items()
            if info.is_served
        },
        "middlewares": {
            name: {"type": info.type, "options": dataclasses.asdict(info.options)}
            for name, info in http.middlewares.items()
            if info.is_served and info.type != "chain"
        },
        "services": {
            name: _service(info, as_traefik=as_traefik)
            for name, info in http.services.items()
            if info.is_served
        },
        "serversTransports": {
            name: transport.model_dump(mode="json", by_alias=True)
            for name, transport in http.servers_transports.items()
        },
        "disabled": [
            {
                "router": name,
                "entryPoints": info.using or info.config.entry_points,
                "rule": info.rule,
                "reason": info.errors[0] if info.errors else "",
            }
            for name, info in http.routers.items()
            if not info.is_served
        ],
    }


def _router(info: RouterInfo) -> dict[str, Any]:
    tls = None
    if info.tls is not None:
        tls = info.tls.model_dump(mode="json", by_alias=True)
        tls["options"] = options_name(info)
    return {
        "entryPoints": info.using,
        "rule": info.rule,
        "ruleSyntax": info.rule_syntax,
        "priority": info.priority,
        "precedence": info.precedence,
        "middlewares": info.middlewares,
        "service": info.service,
        "tls": tls,
        "observability": info.observability.model_dump(mode="json", by_alias=True),
        **({"defaultRule": True} if _has_default_rule(info) else {}),
    }


def _layers(info: RouterInfo, routers: Mapping[str, RouterInfo]) -> dict[str, list[str]]:
    """Return which routers in service are above and below this one, if any are."""
    named = {"parents": info.parents, "children": info.children}
    return {
        side: [name for name in names if routers[name].is_served]
        for side, names in named.items()
        if names
    }


def _has_default_rule(info: RouterInfo) -> bool:
    return isinstance(info.config, Router) and info.config.has_default_rule


def _service(info: ServiceInfo, *, as_traefik: bool) -> dict[str, Any]:
    if info.kind == "internal":
        return {"type": "internal", "options": {"name": info.name.partition("@")[0]}}
    options = info.config.model_dump(mode="json", by_alias=True)[info.kind]
    if info.kind == "loadBalancer":
        options["servers"] = [
            _server(server) for server in options["servers"] if not url_error(server["url"])
        ]
        if not options["servers"] and ABSENT in info.notes:
            options[ABSENT] = info.notes[ABSENT]
    if as_traefik:
        options = options_as_traefik(options)
    service = {"type": info.kind, "options": options}
    if info.left_out:
        service = _remaining(info, options)
    if info.middlewares:
        service["middlewares"] = info.middlewares
    return service


def _remaining(info: ServiceInfo, options: dict[str, Any]) -> dict[str, Any]:
    """Return a service without those it is made of that are left out."""

    def stay(children: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        names = info.left_out
        return [each for each in children if qualified(each["name"], info.provider) not in names]

    if info.kind == "failover":  # Of two one is left: all requests are for it.
        both = [{"name": options[place], "weight": 1} for place in ("service", "fallback")]
        alone = {"services": stay(both), "healthCheck": options["healthCheck"]}
        return {"type": "weighted", "options": alone}
    group = "mirrors" if info.kind == "mirroring" else "services"
    return {"type": info.kind, "options": {**options, group: stay(options[group])}}


def _server(server: dict[str, Any]) -> dict[str, Any]:
    sent = {
        "url": server["url"],
        "weight": 1 if server["weight"] is None else server["weight"],
        "preservePath": server["preservePath"],
    }
    if server["replica"]:
        sent["replica"] = server["replica"]
    return sent | {name: True for name in ("backup", "down") if server[name]}
