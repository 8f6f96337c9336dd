"""Names with their provider: ``api`` of Docker is ``api@docker`` to everybody else.

Middlewares and servers transports are qualified here. Services and TLS options
stay as the user wrote them, as Traefik's API shows them; who follows such a
reference uses ``qualified`` with the provider of the element that holds it.
"""

from collections.abc import Iterable
from typing import Any

from edgerouter.config.dynamic import (
    HTTPConfiguration,
    TCPConfiguration,
    TLSConfiguration,
    UDPConfiguration,
)
from edgerouter.config.dynamic.http import Service


def qualified(name: str, provider: str) -> str:
    """Return ``name@provider``; a name that says its provider, or none at all, stays."""
    return name if not name or "@" in name else f"{name}@{provider}"


def qualified_all(names: Iterable[str], provider: str) -> list[str]:
    return [qualified(name, provider) for name in names]


def provider_of(name: str) -> str:
    """Return the provider of a qualified name, or an empty string."""
    return name.rpartition("@")[2] if "@" in name else ""


def qualify_section(section: str, model: Any, provider: str) -> Any:
    """Return a section with qualified names."""
    if section == "http":
        return _http(model, provider)
    if section == "tls":
        return _tls(model, provider)
    return _stream(model, provider)


def _names(group: dict[str, Any], provider: str) -> dict[str, Any]:
    """Return a group by full names; an ``@`` in a name, which is a mistake, is no provider."""
    return {f"{name}@{provider}": value for name, value in group.items()}


def _http(model: HTTPConfiguration, provider: str) -> HTTPConfiguration:
    services = {name: _service(service, provider) for name, service in model.services.items()}
    return HTTPConfiguration(
        routers=_names(_routers(model.routers, provider), provider),
        services=_names(services, provider),
        middlewares=_names(model.middlewares, provider),
        models=_names(model.models, provider),
        servers_transports=_names(model.servers_transports, provider),
    )


def _routers(routers: dict[str, Any], provider: str) -> dict[str, Any]:
    return {name: _router(router, provider) for name, router in routers.items()}


def _router(router: Any, provider: str) -> Any:
    references = ("middlewares", "parent_refs")
    update = {
        name: qualified_all(names, provider)
        for name in references
        if (names := getattr(router, name, None))
    }
    return router.model_copy(update=update) if update else router


def _service(service: Service, provider: str) -> Service:
    update: dict[str, Any] = {"middlewares": qualified_all(service.middlewares, provider)}
    balancer = service.load_balancer
    if balancer is not None and balancer.servers_transport:
        transport = qualified(balancer.servers_transport, provider)
        update["load_balancer"] = balancer.model_copy(update={"servers_transport": transport})
    return service.model_copy(update=update)


def _stream(
    model: TCPConfiguration | UDPConfiguration, provider: str
) -> TCPConfiguration | UDPConfiguration:
    """Qualify a ``tcp`` or ``udp`` section."""
    if isinstance(model, UDPConfiguration):
        return UDPConfiguration(
            routers=_names(model.routers, provider), services=_names(model.services, provider)
        )
    return TCPConfiguration(
        routers=_names(_routers(model.routers, provider), provider),
        services=_names(model.services, provider),
        middlewares=_names(model.middlewares, provider),
        servers_transports=_names(model.servers_transports, provider),
    )


def _tls(model: TLSConfiguration, provider: str) -> TLSConfiguration:
    options = {
        name if name == "default" else qualified(name, provider): value
        for name, value in model.options.items()
    }
    return model.model_copy(update={"options": options})
