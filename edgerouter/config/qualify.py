"""Names with their provider: ``api`` of Docker is ``api@docker`` to everybody else."""

from collections.abc import Iterable
from typing import Any

from edgerouter.config.dynamic import (
    HTTPConfiguration,
    TCPConfiguration,
    TLSConfiguration,
    UDPConfiguration,
)
from edgerouter.config.dynamic.http import Router, Service
from edgerouter.config.dynamic.tcp import TCPRouter


def qualified(name: str, provider: str) -> str:
    """Return ``name@provider``; a name that says its provider, or none at all, stays."""
    return name if not name or "@" in name else f"{name}@{provider}"


def qualified_all(names: Iterable[str], provider: str) -> list[str]:
    return [qualified(name, provider) for name in names]


def qualify_section(section: str, model: Any, provider: str) -> Any:
    """Return a section with qualified names and references."""
    if section == "http":
        return _http(model, provider)
    if section == "tls":
        return _tls(model, provider)
    return _stream(model, provider)


def _names(group: dict[str, Any], provider: str) -> dict[str, Any]:
    return {qualified(name, provider): value for name, value in group.items()}


def _http(model: HTTPConfiguration, provider: str) -> HTTPConfiguration:
    return HTTPConfiguration(
        routers={
            qualified(name, provider): _router(router, provider)
            for name, router in model.routers.items()
        },
        services={
            qualified(name, provider): _service(service, provider)
            for name, service in model.services.items()
        },
        middlewares=_names(model.middlewares, provider),
        models=_names(model.models, provider),
        servers_transports=_names(model.servers_transports, provider),
    )


def _router(router: Router, provider: str) -> Router:
    return router.model_copy(
        update={
            "middlewares": qualified_all(router.middlewares, provider),
            "service": qualified(router.service, provider),
            "parent_refs": qualified_all(router.parent_refs, provider),
            "tls": _router_tls(router.tls, provider),
        }
    )


def _router_tls(tls: Any, provider: str) -> Any:
    """Qualify the name of a router's TLS options; ``default`` is everybody's."""
    if tls is None or tls.options in {"", "default"}:
        return tls
    return tls.model_copy(update={"options": qualified(tls.options, provider)})


def _service(service: Service, provider: str) -> Service:
    update: dict[str, Any] = {"middlewares": qualified_all(service.middlewares, provider)}
    if service.load_balancer is not None:
        transport = qualified(service.load_balancer.servers_transport, provider)
        update["load_balancer"] = service.load_balancer.model_copy(
            update={"servers_transport": transport}
        )
    for kind in ("weighted", "highest_random_weight"):
        if (parent := getattr(service, kind)) is not None:
            update[kind] = parent.model_copy(
                update={"services": _children(parent.services, provider)}
            )
    if (mirroring := service.mirroring) is not None:
        update["mirroring"] = mirroring.model_copy(
            update={
                "service": qualified(mirroring.service, provider),
                "mirrors": _children(mirroring.mirrors, provider),
            }
        )
    if (failover := service.failover) is not None:
        update["failover"] = failover.model_copy(
            update={
                "service": qualified(failover.service, provider),
                "fallback": qualified(failover.fallback, provider),
            }
        )
    return service.model_copy(update=update)


def _children(children: Iterable[Any], provider: str) -> list[Any]:
    return [
        child.model_copy(update={"name": qualified(child.name, provider)}) for child in children
    ]


def _stream(
    model: TCPConfiguration | UDPConfiguration, provider: str
) -> TCPConfiguration | UDPConfiguration:
    """Qualify a ``tcp`` or ``udp`` section."""
    routers = {}
    for name, router in model.routers.items():
        update: dict[str, Any] = {"service": qualified(router.service, provider)}
        if isinstance(router, TCPRouter):
            update["middlewares"] = qualified_all(router.middlewares, provider)
            update["tls"] = _router_tls(router.tls, provider)
        routers[qualified(name, provider)] = router.model_copy(update=update)
    services = {}
    for name, service in model.services.items():
        update = {}
        if service.weighted is not None:
            children = _children(service.weighted.services, provider)
            update["weighted"] = service.weighted.model_copy(update={"services": children})
        balancer = service.load_balancer
        if balancer is not None and hasattr(balancer, "servers_transport"):
            transport = qualified(balancer.servers_transport, provider)
            update["load_balancer"] = balancer.model_copy(update={"servers_transport": transport})
        services[qualified(name, provider)] = service.model_copy(update=update)
    others = {
        group: _names(getattr(model, group), provider)
        for group in ("middlewares", "servers_transports")
        if hasattr(model, group)
    }
    return model.model_copy(update={"routers": routers, "services": services, **others})


def _tls(model: TLSConfiguration, provider: str) -> TLSConfiguration:
    options = {
        name if name == "default" else qualified(name, provider): value
        for name, value in model.options.items()
    }
    return model.model_copy(update={"options": options})
