"""From a snapshot to route tables: the one place that knows concrete classes of all rooms.

Whatever has the same content as in the last snapshot is the same object
again, so that balancers, chains and tables keep their state and a small
change costs little. What cannot be built is left out and reported.
"""

import json
import logging
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any

from edgerouter.http.errors import NoServer
from edgerouter.http.handler import Handler, Middleware, chain
from edgerouter.http.message import Request, Response
from edgerouter.middleware import builder_of, options_from
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.base import BuildError as OptionsError
from edgerouter.proxy.as_traefik import TraefikTarget
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools
from edgerouter.routing.compiled import CompiledRule, compile_anew
from edgerouter.routing.lexer import RuleError
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable
from edgerouter.services.internal import LifeCycle, dashboard, noop, ping
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.recursion import deny_recursion
from edgerouter.services.server import Fences, Health, Server
from edgerouter.shared.memory import Shared, private
from edgerouter.tls.selection import Certificates
from edgerouter.worker.services import BuildError, Built, ServiceBuilder
from edgerouter.worker.tls import SecureRoutes, answer_challenges, with_challenges
from edgerouter.worker.unmatched import Unmatched

Definition = Mapping[str, Any]
_log = logging.getLogger(__name__)


class Builder:
    """Builds tables from snapshots and swaps them in."""

    def __init__(
        self,
        entrypoints: Mapping[str, EntryPoint],
        *,
        admin: str,
        ping_status: int,
        life_cycle: LifeCycle,
        unmatched: Unmatched,
        as_traefik: bool = False,
        shared: Shared | None = None,
    ) -> None:
        self._entrypoints = entrypoints
        self._admin = admin
        self._ping_status = ping_status
        self._life_cycle = life_cycle
        self._unmatched = unmatched
        self._as_traefik = as_traefik
        self._shared = shared or private()
        self.fences = Fences()
        self.health = Health()
        self.pools = Pools()
        self.services = ServiceBuilder(self.pools, self.fences, self.health, self._internal_service)
        if as_traefik:
            self.services.target_class = TraefikTarget
        self._middlewares: dict[str, tuple[Definition, Middleware]] = {}
        self._routes: dict[str, tuple[tuple[object, ...], Route]] = {}
        self._lent: dict[str, list[Target]] = {}
        self._own_middlewares: dict[str, Sequence[str]] = {}
        """The middlewares of each service itself."""
        self._whole_services: dict[str, Handler] = {}
        self._tables: dict[str, RouteTable] = {}
        self._table_routes: dict[str, list[Route]] = {}
        self.certificates = Certificates()
        self._secure = {name: SecureRoutes(self.certificates) for name in entrypoints}

    def apply(self, snapshot: Definition, patch: Definition | None = None) -> dict[str, list[str]]:
        """Build all tables and swap them in; return errors by element.

        Runs without a pause, so that every request sees either all old or all new tables.
        """
        errors = self.certificates.update(snapshot.get("tls") or {})
        self._middlewares = self._build_middlewares(snapshot.get("middlewares") or {}, errors)
        self.services.update(
            snapshot.get("services") or {},
            snapshot.get("serversTransports") or {},
            {name: middleware for name, (_, middleware) in self._middlewares.items()},
            errors,
        )
        self._routes = self._build_routes(snapshot.get("routers") or {}, errors)
        self._swap(snapshot)
        self._whole_services.clear()
        self._own_middlewares = {
            name: definition.get("middlewares") or ()
            for name, definition in (snapshot.get("services") or {}).items()
        }
        self._lent = {name: self._lent[name] for name in self._middlewares if name in self._lent}
        lent = [target for targets in self._lent.values() for target in targets]
        in_use = [*self.services.targets, *lent]
        self.pools.keep_only({target.pool for target in in_use})
        return errors

    # Middlewares.

    def _build_middlewares(
        self, definitions: Mapping[str, Definition], errors: dict[str, list[str]]
    ) -> dict[str, tuple[Definition, Middleware]]:
        built = {}
        for name, definition in definitions.items():
            old = self._middlewares.get(name)
            if old is not None and old[0] == definition:
                built[name] = old
                continue
            self._lent.pop(name, None)
            try:
                built[name] = (definition, self._build_middleware(name, definition))
            except (BuildError, OptionsError, ValueError) as error:
                errors[f"middlewares/{name}"] = [str(error)]
        return built

    def _build_middleware(self, name: str, definition: Definition) -> Middleware:
        kind = definition["type"]
        build = builder_of(kind)
        if build is None:
            message = f"the middleware type {kind} is not served yet"
            raise BuildError(message)
        options = options_from(kind, definition.get("options") or {})
        context = BuildContext(
            name,
            service=self._late_service,
            server=partial(self._lent_server, name),
            shared=self._shared,
            as_traefik=self._as_traefik,
        )
        return build(options, context)

    def _late_service(self, name: str) -> Handler:
        """Return a handler that asks whatever ``name`` is when a request comes."""

        def handle(request: Request) -> Awaitable[Response]:
            found = self._whole_services.get(name)
            if found is None:
                found = self._whole_services[name] = self._whole_service(name)
            return found(request)

        return handle

    def _whole_service(self, name: str) -> Handler:
        """Return the service ``name`` behind the middlewares of its own.

        Raises:
            NoServer: It does not exist, or a middleware is missing.
        """
        service = self.services.get(name)
        own = [self._middlewares.get(each) for each in self._own_middlewares.get(name, ())]
        if service is None or None in own:
            message = f"the service {name} does not exist"
            raise NoServer(message)
        return chain(service, [built[1] for built in own if built is not None])

    def _lent_server(self, middleware: str, url: str, transport: Definition) -> Handler:
        """Return a handler for one server outside the services, such as an authorisation server.

        It is kept for as long as the middleware is.
        """
        kind = self.services.target_class
        target = kind(url, self.pools, json.dumps(transport, sort_keys=True), transport)
        self._lent.setdefault(middleware, []).append(target)
        return target

    # Services.

    def _internal_service(self, name: str, kind: str) -> Built:
        match kind:
            case "ping":
                return Built((), ping(self._life_cycle, self._ping_status))
            case "noop":
                return Built((), noop)
            case "acme-http":
                return Built((), answer_challenges(self.certificates))
            case "api" | "dashboard":
                target = Target(f"unix://{self._admin}", self.pools, name, {}, key=name)
                server = Server(target.url, 1, target)
                api = LoadBalancer(name, [server], self.fences, {})
                return Built((), api if kind == "api" else dashboard(api), (target,))
            case _:
                message = f"there is no internal service {kind}"
                raise BuildError(message)

    # Routers.

    def _build_routes(
        self, definitions: Mapping[str, Definition], errors: dict[str, list[str]]
    ) -> dict[str, tuple[tuple[object, ...], Route]]:
        built = {}
        for name, definition in definitions.items():
            try:
                parts = self._parts(definition)
                old = self._routes.get(name)
                if old is not None and old[0] == (definition, *parts):
                    built[name] = old
                else:
                    rule = _rule(
                        definition,
                        old[1].rule if old is not None else None,
                        as_traefik=self._as_traefik,
                    )
                    built[name] = (
                        (definition, *parts),
                        _build_route(name, definition, rule, parts),
                    )
            except (BuildError, RuleError, ValueError) as error:
                errors[f"routers/{name}"] = [str(error)]
                _log.error("A router cannot be built: %s: %s", name, error)
        return built

    def _parts(self, definition: Definition) -> tuple[Any, ...]:
        """Return the service and the middlewares of a router."""
        service = self.services.get(definition["service"])
        if service is None:
            message = f"its service {definition['service']} could not be built"
            raise BuildError(message)
        parts: list[Any] = [service]
        for name in definition.get("middlewares") or ():
            middleware = self._middlewares.get(name)
            if middleware is None:
                message = f"its middleware {name} could not be built"
                raise BuildError(message)
            parts.append(middleware[1])
        return tuple(parts)

    # Tables.

    def _swap(self, snapshot: Definition) -> None:
        plain: dict[str, list[Route]] = {name: [] for name in self._entrypoints}
        secure: dict[str, list[tuple[Definition, Route]]] = {name: [] for name in plain}
        for (definition, *_), route in self._routes.values():
            assert isinstance(definition, Mapping)  # noqa: S101 - for the type checker
            for name in definition["entryPoints"]:
                if name not in plain:
                    continue
                if definition.get("tls") is None:
                    plain[name].append(route)
                else:
                    secure[name].append((definition, route))
        for name, routes in plain.items():
            if self._table_routes.get(name) != routes:
                self._tables[name] = RouteTable(routes)
                self._table_routes[name] = routes
        tls = snapshot.get("tls") or {}
        challenges = tls.get("http01") or {}
        for name, entrypoint in self._entrypoints.items():
            answers = challenges if entrypoint.answers_challenges else {}
            self._secure[name].update(secure[name], strict=bool(tls.get("strictOptions")))
            self._secure[name].install(entrypoint, answers)
            entrypoint.table = with_challenges(self._tables[name], answers)
        unmatched = self._unmatched
        unmatched.tables = dict(self._tables)
        unmatched.secure = {name: routes.table for name, routes in self._secure.items()}
        self._note_disabled(snapshot.get("disabled") or ())

    def _note_disabled(self, definitions: Any) -> None:
        tables: dict[str, list[Route]] = {}
        reasons = {}
        for definition in definitions:
            try:
                rule = _rule(definition, None)
            except RuleError:
                continue
            route = Route(definition["router"], rule, handler=noop, priority=1)
            reasons[route.name] = definition.get("reason") or ""
            for name in definition.get("entryPoints") or ():
                tables.setdefault(name, []).append(route)
        self._unmatched.disabled = {name: RouteTable(routes) for name, routes in tables.items()}
        self._unmatched.reasons = reasons


def _rule(
    definition: Definition, old: CompiledRule | None, *, as_traefik: bool = False
) -> CompiledRule:
    """Return the rule of a router, the ``old`` one if it still says the same."""
    text, syntax = definition["rule"], definition.get("ruleSyntax") or "v3"
    if old is not None and (old.text, old.syntax) == (text, syntax):
        return old
    return compile_anew(text, syntax, as_traefik=as_traefik)


def _build_route(
    name: str, definition: Definition, rule: CompiledRule, parts: tuple[Any, ...]
) -> Route:
    service, *middlewares = parts
    handler = chain(service, middlewares)
    if definition.get("defaultRule"):
        handler = deny_recursion(name, handler)
    observability = definition.get("observability") or {}
    if observability.get("accessLogs") is False:
        handler = _unlogged(handler)
    return Route(
        name,
        rule,
        handler=handler,
        priority=definition["priority"],
        precedence=definition.get("precedence") or 0,
    )


def _unlogged(handler: Handler) -> Handler:
    """Keep the requests of a router out of the access log."""

    async def handle(request: Request) -> Response:
        request.exchange.logged = False
        return await handler(request)

    return handle
