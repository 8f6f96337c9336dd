"""When two definitions of one name say the same, and how services that do become one."""

from collections.abc import Iterable, Mapping
from typing import Any

from edgerouter.config.dynamic.http import MiddlewareDefinition, Service
from edgerouter.config.dynamic.tcp import TCPService
from edgerouter.config.dynamic.udp import UDPService


def alike(old: Any, new: Any) -> bool:
    """Tell whether two definitions differ in nothing; of load balancers servers do not count."""
    if isinstance(old, MiddlewareDefinition) and isinstance(new, MiddlewareDefinition):
        return old.type.lower() == new.type.lower() and _folded(old.options) == _folded(new.options)
    if is_load_balancer(old) and is_load_balancer(new):
        return bool(_with_servers(old, []) == _with_servers(new, []))
    return bool(old == new)


def is_load_balancer(definition: Any) -> bool:
    """Tell whether a definition is that of a service made of servers."""
    is_service = isinstance(definition, Service | TCPService | UDPService)
    return is_service and definition.load_balancer is not None


def with_servers_of(service: Any, others: Iterable[Any]) -> Any:
    """Return a service of servers with those of others that are alike, each once."""
    servers: dict[str, Any] = {}
    for each in (service, *others):
        for server in each.load_balancer.servers:
            servers.setdefault(_identity(server), server)
    return _with_servers(service, list(servers.values()))


def _with_servers(service: Any, servers: list[Any]) -> Any:
    balancer = service.load_balancer.model_copy(update={"servers": servers})
    return service.model_copy(update={"load_balancer": balancer})


def _identity(server: Any) -> str:
    return str(getattr(server, "url", "") or getattr(server, "address", "") or server)


def _folded(raw: Any) -> Any:
    """Return raw options with their names in lower case, as they are matched."""
    if isinstance(raw, Mapping):
        return {str(key).lower(): _folded(item) for key, item in raw.items()}
    return [_folded(item) for item in raw] if isinstance(raw, list) else raw
