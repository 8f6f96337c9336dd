"""From a snapshot to route tables: the one place that knows concrete classes of all rooms.

Whatever has the same content as in the last snapshot is the same object
again, so that balancers, chains and tables keep their state and a small
change costs little. What cannot be built is left out and reported.
"""

import json
import logging
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

from edgerouter.http.errors import NoServer
from edgerouter.http.handler import Handler, Middleware, chain
from edgerouter.http.message import Request, Response
from edgerouter.ipc.patch import touched
from edgerouter.middleware import WITH_STATE, builder_of, options_from
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.base import BuildError as OptionsError
from edgerouter.middleware.budget import Budgets
from edgerouter.proxy.as_traefik import TraefikTarget
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools
from edgerouter.routing.compiled import CompiledRule
from edgerouter.routing.lexer import RuleError
from edgerouter.routing.route import Route
from edgerouter.services.internal import LifeCycle, dashboard, noop, ping
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.recursion import deny_recursion
from edgerouter.services.server import Fences, Health, Server
from edgerouter.services.tunnels import Tunnels
from edgerouter.shared.memory import Shared, private
from edgerouter.tls.selection import Certificates
from edgerouter.worker.layers import Layer, ordered
from edgerouter.worker.services import COMPOSED_AS_TRAEFIK, BuildError, Built, ServiceBuilder
from edgerouter.worker.tables import Tables, compiled
from edgerouter.worker.tls import answer_challenges
from edgerouter.worker.unmatched import Unmatched

Definition = Mapping[str, Any]
_Made = tuple[tuple[Any, ...], Route]
"""What a route was made from, and the route."""
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
        tunnel_grace: float = 30.0,
        shared: Shared | None = None,
    ) -> None:
        self._admin = admin
        self._ping_status = ping_status
        self._life_cycle = life_cycle
        self._as_traefik = as_traefik
        self._shared = shared or private()
        self._budgets = Budgets()
        self.fences = Fences()
        self.health = Health()
        self.pools = Pools()
        self.services = ServiceBuilder(
            self.pools, self.fences, self.health, self._internal_service, self._shared.in_flight
        )
        if as_traefik:
            self.services.target_class = TraefikTarget
            self.services.composed = COMPOSED_AS_TRAEFIK
        else:
            self.services.tunnels = Tunnels(self.fences, tunnel_grace)
        self._middlewares: dict[str, tuple[Definition, Middleware]] = {}
        self._routes: dict[str, _Made] = {}
        self._lent: dict[str, list[Target]] = {}
        self._services: Mapping[str, Definition] = {}
        self._whole_services: dict[str, Handler] = {}
        self.certificates = Certificates()
        self._tables = Tables(entrypoints, self.certificates, unmatched)
        self._tls_errors: dict[str, list[str]] = {}
        self._errors: dict[str, list[str]] = {}
        self._is_whole = False
        """Whether the last snapshot was applied to its end, so that a patch is enough."""

    def apply(self, snapshot: Definition, patch: Definition | None = None) -> dict[str, list[str]]:
        """Build all tables and swap them in; return errors by element.

        Runs without a pause, so that every request sees either all old or all new tables.
        With the ``patch`` that led to the snapshot only what it touches is looked at.
        """
        patch = patch if self._is_whole else None
        self._is_whole = False
        if patch is None or "tls" in patch:
            self._tls_errors = self.certificates.update(snapshot.get("tls") or {})
        errors = dict(self._tls_errors)
        # Traefik makes everything anew with each configuration, and forgets what it knew.
        generation = snapshot["version"] if self._as_traefik else 0
        middlewares = self._update_middlewares(
            snapshot.get("middlewares") or {}, patch, errors, generation
        )
        definitions = snapshot.get("services") or {}
        services = self.services.update(
            definitions,
            snapshot.get("serversTransports") or {},
            {name: middleware for name, (_, middleware) in self._middlewares.items()},
            errors,
            None if patch is None else self._touched(patch, "services"),
            middlewares,
        )
        self._update_routes(snapshot, patch, middlewares, services, errors)
        self._whole_services.clear()
        self._services = definitions
        self._lent = {name: self._lent[name] for name in self._middlewares if name in self._lent}
        # Services that cannot be built may have opened some that are not counted.
        broken = any(name.startswith("services/") for name in (*self._errors, *errors))
        self._close_pools(looks_at_all=patch is None or bool(middlewares) or broken)
        self._errors = errors
        self._is_whole = True
        return errors

    def _close_pools(self, *, looks_at_all: bool) -> None:
        """Close the pools that nobody uses any more."""
        lent = {target.pool for targets in self._lent.values() for target in targets}
        lost = self.services.targets.lost
        if looks_at_all:
            self.pools.keep_only({target.pool for target in self.services.targets} | lent)
        elif lost:
            self.pools.discard(lost - lent)
        lost.clear()

    def fence(self, urls: frozenset[str]) -> None:
        """Ask the servers at ``urls`` no more, and all others; their connections are to end."""
        new = urls - self.fences.urls
        self.fences.urls = urls
        if new:
            for target in self.services.targets:
                if target.url in new:
                    target.pool.expect_end()

    def _touched(self, patch: Definition, section: str) -> list[str]:
        """Return the elements that a patch touches, and those that could not be built so far."""
        failed = (name.partition("/") for name in self._errors)
        return [*touched(patch, section), *(name for kind, _, name in failed if kind == section)]

    # Middlewares.

    def _update_middlewares(
        self,
        definitions: Mapping[str, Definition],
        patch: Definition | None,
        errors: dict[str, list[str]],
        generation: int,
    ) -> set[str]:
        """Build what is new; return the names of what is another object now, or gone.

        In another ``generation`` than 0 what has state is new, too.
        """
        before, built = self._middlewares, dict(self._middlewares)
        if patch is None or generation:
            names = dict.fromkeys((*before, *definitions))
        else:
            names = dict.fromkeys(self._touched(patch, "middlewares"))
        for name in names:
            old = built.pop(name, None)
            definition = definitions.get(name)
            if definition is None:
                continue
            forgets = generation and definition["type"] in WITH_STATE
            if old is not None and old[0] == definition and not forgets:
                built[name] = old
                continue
            self._lent.pop(name, None)
            try:
                built[name] = (definition, self._build_middleware(name, definition, generation))
            except Exception as error:  # noqa: BLE001 - it is told, the others are built.
                errors[f"middlewares/{name}"] = [_told(error)]
        self._middlewares = built
        return {name for name in names if before.get(name) is not built.get(name)}

    def _build_middleware(self, name: str, definition: Definition, generation: int) -> Middleware:
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
            budgets=self._budgets,
            as_traefik=self._as_traefik,
            generation=generation,
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
        written = self._services.get(name, {}).get("middlewares") or ()
        own = [self._middlewares.get(each) for each in written]
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

    def _update_routes(
        self,
        snapshot: Definition,
        patch: Definition | None,
        middlewares: set[str],
        services: set[str],
        errors: dict[str, list[str]],
    ) -> None:
        """Build the routes of new routers and of those with these middlewares and services."""
        definitions: Mapping[str, Definition] = snapshot.get("routers") or {}
        names = dict.fromkeys((*self._routes, *definitions))
        if patch is not None:
            users = _users(definitions, services, middlewares)
            names = dict.fromkeys((*self._touched(patch, "routers"), *users))
        before, built = self._routes, dict(self._routes)
        handlers: list[tuple[Route, Handler]] = []
        for name in (changed := ordered(names, definitions)):
            old = built.pop(name, None)
            definition = definitions.get(name)
            if definition is None:
                continue
            try:
                built[name] = self._route(name, definition, old, built, handlers)
            except Exception as error:  # noqa: BLE001 - it is told, the others are built.
                errors[f"routers/{name}"] = [_told(error)]
                _log.error("A router cannot be built: %s: %s", name, _told(error))
        self._tables.update(before, built, changed, snapshot)
        self._routes = built
        for route, handler in handlers:
            route.handler = handler

    def _route(
        self,
        name: str,
        definition: Definition,
        old: _Made | None,
        built: Mapping[str, _Made],
        handlers: list[tuple[Route, Handler]],
    ) -> _Made:
        """Return a router's route; the ``old`` one, with a new handler, if it stands where it did.

        Raises:
            BuildError: A part of it does not exist.
            RuleError: Its rule cannot be used.
        """
        parts = self._parts(definition, built)
        key = (definition, *parts)
        if old is not None and old[0] == key:
            return old
        before = old[1] if old is not None else None
        rule = compiled(
            definition, before.rule if before is not None else None, as_traefik=self._as_traefik
        )
        route = _build_route(name, definition, rule, parts)
        if before is not None and before.rule is rule and before.order == route.order:
            handlers.append((before, route.handler))
            route = before
        return key, route

    def _parts(self, definition: Definition, built: Mapping[str, _Made]) -> tuple[Any, ...]:
        """Return the service, or the routers below, and the middlewares of a router."""
        service: Handler | None
        if "children" in definition:
            service = Layer([built[name][1] for name in definition["children"] if name in built])
        else:
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


def _told(error: Exception) -> str:
    """Return why something cannot be built; texts of strangers may hold secrets."""
    is_known = isinstance(error, BuildError | OptionsError | RuleError | ValueError)
    return str(error) if is_known else f"it cannot be built ({type(error).__name__})"


def _users(
    definitions: Mapping[str, Definition], services: set[str], middlewares: set[str]
) -> list[str]:
    """Return the routers that use one of these."""
    if not services and not middlewares:
        return []
    return [
        name
        for name, definition in definitions.items()
        if definition["service"] in services
        or not middlewares.isdisjoint(definition.get("middlewares") or ())
    ]


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
