"""The servers of one container: which address and port each of its services gets.

Pure: which of several ports and addresses answer is asked elsewhere (``ports.py``). What cannot be
chosen becomes a problem of that service alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from edgerouter.config.diagnostics import Severity
from edgerouter.config.dynamic import ABSENT, DynamicConfiguration
from edgerouter.config.dynamic.base import Model
from edgerouter.config.dynamic.http import Server, ServersLoadBalancer, Service
from edgerouter.config.dynamic.tcp import TCPServer, TCPServersLoadBalancer, TCPService
from edgerouter.config.dynamic.udp import UDPServer, UDPServersLoadBalancer, UDPService
from edgerouter_docker.inventory import Container
from edgerouter_docker.network import (
    Candidates,
    Choice,
    NoChoice,
    Surroundings,
    addresses_of,
    container_label,
    find_binding,
    ports_of,
)
from edgerouter_docker.options import Options

Endpoint = tuple[str, int]
"""An address and a port of a container."""
Question = tuple[Endpoint, ...]
"""Endpoints of which the first that answers is to be taken."""

_NUMBER = "com.docker.compose.container-number"
_TASK = "com.docker.swarm.task.name"
"""``service.slot.id``; only the slot outlives the task."""

AnyServer = TypeVar("AnyServer", Server, TCPServer, UDPServer)
AnyService = TypeVar("AnyService", Service, TCPService, UDPService)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one element of the container."""

    element: str
    message: str
    severity: Severity = "error"


@dataclass(slots=True)
class Servers:
    """The configuration with servers filled in, and what was found on the way."""

    configuration: DynamicConfiguration
    urls: set[str] = field(default_factory=set)
    questions: set[Question] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def fill_in_servers(
    configuration: DynamicConfiguration,
    container: Container,
    options: Options,
    surroundings: Surroundings,
    answering: Collection[Endpoint] = (),
) -> Servers:
    """Give every load balancer its server; none to a container that may not be asked.

    Args:
        configuration: What the labels say, completed.
        container: Whose labels.
        options: Those of the provider.
        surroundings: Where the router stands.
        answering: Those of its ports and addresses that are known to answer.
    """
    filler = _Filler(container, options, surroundings, answering, Servers(configuration))
    http = filler.fill("http", configuration.http.services, "tcp")
    tcp = filler.fill("tcp", configuration.tcp.services, "tcp")
    udp = filler.fill("udp", configuration.udp.services, "udp")
    result = filler.result
    result.configuration = configuration.model_copy(
        update={
            "http": configuration.http.model_copy(update={"services": http}),
            "tcp": configuration.tcp.model_copy(update={"services": tcp}),
            "udp": configuration.udp.model_copy(update={"services": udp}),
        }
    )
    return result


@dataclass(frozen=True, slots=True)
class _Target:
    host: str
    port: str
    notes: Mapping[str, str]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(slots=True)
class _Filler:
    container: Container
    options: Options
    surroundings: Surroundings
    answering: Collection[Endpoint]
    result: Servers

    def fill(
        self, section: str, services: Mapping[str, AnyService], protocol: str
    ) -> dict[str, AnyService]:
        return {
            name: self._service(f"{section}.services.{name}", service, protocol)
            for name, service in services.items()
        }

    def _service(self, element: str, service: AnyService, protocol: str) -> AnyService:
        balancer = service.load_balancer
        if balancer is None:
            self._fail(element, "load-balancer is not defined: a container has no other service")
            return service
        servers: list[Any] = []
        if obstacle := self.container.obstacle:
            self.result.configuration.notes[element] = {ABSENT: f"{self.container}: {obstacle}"}
        else:
            try:
                servers = self._servers(element, balancer, protocol)
            except NoChoice as error:
                self._fail(element, str(error))
        changes = {"servers": servers, **self._held(balancer)}
        return _with(service, load_balancer=_with(balancer, **changes))

    def _held(self, balancer: Model) -> dict[str, Any]:
        """Return for how long requests wait, unless the labels say it."""
        if isinstance(balancer, ServersLoadBalancer) and balancer.hold is None:
            return {"hold": self.options.hold or None}
        return {}

    def _servers(
        self,
        element: str,
        balancer: ServersLoadBalancer | TCPServersLoadBalancer | UDPServersLoadBalancer,
        protocol: str,
    ) -> list[Server] | list[TCPServer] | list[UDPServer]:
        match balancer:
            case ServersLoadBalancer():
                server = self._http_server(element, next(iter(balancer.servers), Server()))
                if self.container.is_unheeding:
                    server = _with(server, backup=True)
                return [self._with_replica(server, balancer)]
            case TCPServersLoadBalancer():
                tcp = next(iter(balancer.servers), TCPServer())
                target = self._target(element, tcp.port, protocol)
                return [_with(tcp, address=str(target), port="")]
            case UDPServersLoadBalancer():
                udp = next(iter(balancer.servers), UDPServer())
                target = self._target(element, udp.port, protocol)
                return [_with(udp, address=str(target), port="")]

    def _http_server(self, element: str, server: Server) -> Server:
        if server.url:
            if server.port or server.scheme:
                raise NoChoice("server.url goes with neither server.port nor server.scheme")
            url = server.url
        else:
            url = f"{server.scheme or 'http'}://{self._target(element, server.port, 'tcp')}"
        if _can_be_asked(url):
            self.result.urls.add(url)
        return _with(server, url=url, port="", scheme="")

    def _with_replica(self, server: Server, balancer: ServersLoadBalancer) -> Server:
        cookie = balancer.sticky.cookie if balancer.sticky is not None else None
        if cookie is None or not cookie.replica or server.replica:
            return server
        labels = self.container.labels
        task = labels.get(_TASK, "").split(".")
        slot = task[-2] if len(task) > 2 else ""
        return _with(server, replica=labels.get(_NUMBER) or slot or self.container.name)

    def _target(self, element: str, port_label: str, protocol: str) -> _Target:
        target = self._choose(port_label, protocol)
        self.result.configuration.notes[element] = dict(target.notes)
        for warning in target.warnings:
            self._say(element, warning, "warning")
        return target

    def _choose(self, port_label: str, protocol: str) -> _Target:
        compat = self.options.compat == "traefik"
        ports = ports_of(
            self.container,
            label=port_label,
            protocol=protocol,
            compat=compat,
            is_wanted=self.container.is_labelled,
        )
        if self.options.use_bind_port_ip:
            return self._published(_certain(ports), protocol)
        addresses = self._addresses()
        address, port = addresses.choices[0], ports.choices[0]
        is_open = len(addresses.choices) * len(ports.choices) > 1
        if protocol == "tcp" and (is_open or addresses.refusal or ports.refusal):
            address, port = self._answering(addresses, ports)
        return _target(address, port)

    def _addresses(self) -> Candidates:
        return addresses_of(
            self.container,
            self.surroundings,
            label=container_label(self.container.labels, "docker.network"),
            network=self.options.network,
            compat=self.options.compat == "traefik",
        )

    def _answering(self, addresses: Candidates, ports: Candidates) -> tuple[Choice, Choice]:
        """Return the first of the candidates that answers, otherwise the best of them."""
        pairs = {
            (address.value, int(port.value)): (address, port)
            for port in ports.choices
            for address in addresses.choices
        }
        self.result.questions.add(tuple(pairs))
        found = next((pair for at, pair in pairs.items() if at in self.answering), None)
        if found is None:
            return _certain(addresses), _certain(ports)
        address, port = found
        is_one = len(addresses.choices) == 1 and not addresses.refusal
        by_address = address.note if is_one else address.answering
        return replace(address, note=by_address), replace(port, note=port.answering or port.note)

    def _published(self, port: Choice, protocol: str) -> _Target:
        """Return where the host publishes a port, or where the container has it."""
        binding = find_binding(self.container, port.value, protocol)
        if binding is None:
            target = _target(_certain(self._addresses()), port)
            warning = (
                f"useBindPortIP: port {port.value} is not published at a definite host address;"
                " the container's own address is used"
            )
            return replace(target, warnings=(*target.warnings, warning))
        note = f"host: {port.value} is published there (useBindPortIP)"
        return _target(Choice(binding.host_ip, note), replace(port, value=binding.host_port))

    def _fail(self, element: str, message: str) -> None:
        self._say(element, message, "error")

    def _say(self, element: str, message: str, severity: Severity) -> None:
        label = f"traefik.{element}.loadbalancer.server.port"
        problem = Problem(element, message.replace("{label}", label), severity)
        self.result.problems.append(problem)


def _can_be_asked(url: str) -> bool:
    """Tell whether a URL can be taken apart; what is wrong with others is told with the service."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _certain(candidates: Candidates) -> Choice:
    """Return the best when nobody can be asked.

    Raises:
        NoChoice: It counts only if it answers.
    """
    if candidates.refusal:
        raise NoChoice(candidates.refusal)
    return candidates.choices[0]


def _target(address: Choice, port: Choice) -> _Target:
    warnings = tuple(choice.warning for choice in (port, address) if choice.warning)
    return _Target(
        address.value, port.value, {"port": port.note, "network": address.note}, warnings
    )


AnyModel = TypeVar("AnyModel", bound=Model)


def _with(model: AnyModel, **changes: Any) -> AnyModel:
    return model.model_copy(update=changes)
