"""The automatic services, routers and links of one container, by Traefik's rules.

Without services: one, named after the container. Without routers: one, with
the default rule. A router without a service gets the only one there is. TCP and
UDP alone bring no HTTP along.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import Router, ServersLoadBalancer, Service
from edgerouter.config.dynamic.tcp import TCPRouter, TCPServersLoadBalancer, TCPService
from edgerouter.config.dynamic.udp import UDPRouter, UDPServersLoadBalancer, UDPService
from edgerouter.gotemplate import Template, TemplateError
from edgerouter.provider import normalize
from edgerouter_docker.inventory import Container
from edgerouter_docker.servers import Problem

AnyRouter = TypeVar("AnyRouter", Router, TCPRouter, UDPRouter)


@dataclass(slots=True)
class Completed:
    """The configuration with its automatic elements."""

    configuration: DynamicConfiguration
    problems: list[Problem] = field(default_factory=list)


def complete(
    configuration: DynamicConfiguration,
    container: Container,
    default_rule: Template,
    *,
    is_self: bool,
    mistaken_router: str = "",
) -> Completed:
    """Add what the labels leave to the rules.

    Args:
        configuration: What the labels say.
        container: Whose labels.
        default_rule: The template of rules.
        is_self: It is the router's own container: no automatic route may lead back to it.
        mistaken_router: A label that was to make a router, and does not: none may take its place
            that lacks what the label was to say.
    """
    completed = Completed(configuration)
    completion = _Completion(container, default_rule, is_self, mistaken_router, completed)
    completion.add_services()
    completion.add_router()
    completion.link()
    return completion.result


def service_name(container: Container) -> str:
    """Return the name of a container's automatic service: Compose's, else the container's."""
    project = container.labels.get("com.docker.compose.project")
    service = container.labels.get("com.docker.compose.service")
    if project is not None and service is not None:
        return normalize(f"{service}_{project}")
    return normalize(container.name)


@dataclass(slots=True)
class _Completion:
    container: Container
    default_rule: Template
    is_self: bool
    mistaken_router: str
    result: Completed

    def add_services(self) -> None:
        configuration = self.result.configuration
        name = service_name(self.container)
        http, tcp, udp = configuration.http, configuration.tcp, configuration.udp
        if tcp.routers and not tcp.services:
            tcp_service = TCPService(load_balancer=TCPServersLoadBalancer())
            tcp = tcp.model_copy(update={"services": {name: tcp_service}})
            self._own(f"tcp.services.{name}")
        if udp.routers and not udp.services:
            udp_service = UDPService(load_balancer=UDPServersLoadBalancer())
            udp = udp.model_copy(update={"services": {name: udp_service}})
            self._own(f"udp.services.{name}")
        if not http.services and not self._is_without_http:
            service = Service(load_balancer=ServersLoadBalancer())
            http = http.model_copy(update={"services": {name: service}})
            self._own(f"http.services.{name}")
        self.result.configuration = configuration.model_copy(
            update={"http": http, "tcp": tcp, "udp": udp}
        )

    def add_router(self) -> None:
        http = self.result.configuration.http
        if http.routers or self._is_without_http or self.is_self:
            return
        name = service_name(self.container)
        reason = ""
        if self.mistaken_router:
            reason = f"something is wrong with the label {self.mistaken_router}"
        elif len(http.services) > 1:
            reason = f"it has several services ({_quoted(http.services)}) and no router"
        if reason:
            message = f"no router was made for the container: {reason}"
            self._problem(f"http.routers.{name}", message, is_fatal=False)
            return
        http = http.model_copy(update={"routers": {name: Router()}})
        self._own(f"http.routers.{name}")
        self.result.configuration = self.result.configuration.model_copy(update={"http": http})

    def link(self) -> None:
        """Give routers their rule and their service."""
        configuration = self.result.configuration
        http, tcp, udp = configuration.http, configuration.tcp, configuration.udp
        routers = {
            name: self._ruled(f"http.routers.{name}", self._linked("http", name, router))
            for name, router in http.routers.items()
        }
        tcp_routers = {n: self._linked("tcp", n, router) for n, router in tcp.routers.items()}
        udp_routers = {n: self._linked("udp", n, router) for n, router in udp.routers.items()}
        for name, router in tcp_routers.items():
            if not router.rule:
                self._problem(f"tcp.routers.{name}", "Empty rule: set the label {key}.rule")
        self.result.configuration = configuration.model_copy(
            update={
                "http": http.model_copy(update={"routers": routers}),
                "tcp": tcp.model_copy(update={"routers": tcp_routers}),
                "udp": udp.model_copy(update={"routers": udp_routers}),
            }
        )

    @property
    def _is_without_http(self) -> bool:
        """Tell whether the labels are about TCP and UDP only."""
        configuration = self.result.configuration
        http, tcp, udp = configuration.http, configuration.tcp, configuration.udp
        has_http = http.routers or http.services or http.middlewares
        return not has_http and bool(tcp.routers or tcp.services or udp.routers or udp.services)

    def _linked(self, section: str, name: str, router: AnyRouter) -> AnyRouter:
        configuration = self.result.configuration
        services: Mapping[str, object] = getattr(configuration, section).services
        if router.service:
            return router
        if len(services) > 1:
            self._problem(
                f"{section}.routers.{name}",
                f"Router {name} cannot be linked automatically with multiple Services:"
                f" [{_quoted(services, ' ')}]; set the label {{key}}.service",
            )
            return router
        return router.model_copy(update={"service": next(iter(services), "")})

    def _ruled(self, element: str, router: Router) -> Router:
        if router.rule:
            return router
        if self.is_self and router.service in self.result.configuration.http.services:
            self._problem(
                element,
                "the default rule would lead the router's own container back to itself; set the"
                " label {key}.rule",
            )
            return router
        try:
            rule = self.default_rule.render(self._model(), {"normalize": normalize})
        except TemplateError as error:
            self._problem(element, f"Error while parsing default rule: {error}")
            return router
        if not rule.strip():
            self._problem(element, "Undefined rule: the default rule came out empty")
        return router.with_default_rule(rule)

    def _model(self) -> dict[str, object]:
        """Return what the template of the default rule sees."""
        return {
            "Name": service_name(self.container),
            "ContainerName": self.container.name,
            "Labels": dict(self.container.labels),
        }

    def _own(self, element: str) -> None:
        self.result.configuration.sources.setdefault(element, str(self.container))

    def _problem(self, element: str, message: str, *, is_fatal: bool = True) -> None:
        configuration = self.result.configuration
        key = configuration.keys.get(element, f"traefik.{element}")
        message = message.replace("{key}", key)
        self.result.problems.append(Problem(element, message, "error" if is_fatal else "warning"))
        if is_fatal:
            configuration.errors.setdefault(element, []).append(f"{key}: {message}")


def _quoted(names: Mapping[str, object], separator: str = ", ") -> str:
    return separator.join(f'"{name}"' for name in sorted(names))
