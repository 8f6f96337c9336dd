"""From a snapshot's services to handlers.

A service whose content did not change is the same object again. What is known
of servers (requests under way, failures, times) and waiting requests outlive
even a change of their service.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import partial
from random import shuffle
from typing import Any

from edgerouter.http.handler import Handler, Middleware, chain
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools
from edgerouter.services.as_traefik import TraefikFailover, TraefikMirroring
from edgerouter.services.child import Child
from edgerouter.services.failover import Failover
from edgerouter.services.load_balancer import LoadBalancer
from edgerouter.services.mirroring import Mirror, Mirroring
from edgerouter.services.server import Fences, Health, Server, ServerState
from edgerouter.services.sticky import StickyCookie
from edgerouter.services.tunnels import Tunnels
from edgerouter.services.waiting import MAX_WAITING, Hall, Room
from edgerouter.services.weighted import HighestRandomWeight, Weighted
from edgerouter.shared.in_flight import InFlight
from edgerouter.worker.targets import Targets

Definition = Mapping[str, Any]
DEFAULT_TRANSPORT = "default@internal"


class BuildError(Exception):
    """An element of the snapshot cannot be built; the message says why."""


class Built:
    """One service, what it was made from, and the servers it uses."""

    __slots__ = ("children", "handler", "parts", "targets", "transport")

    def __init__(
        self,
        parts: tuple[object, ...],
        handler: Handler,
        targets: tuple[Target, ...] = (),
        transport: str = "",
        children: tuple[str, ...] = (),
    ) -> None:
        self.parts = parts
        self.handler = handler
        self.targets = targets
        self.transport = transport
        """The qualified name of a load balancer's servers transport; its options are a part."""
        self.children = children
        """The qualified names of the services it is made of."""


class ServiceBuilder:
    """Makes the services of one snapshot after the other."""

    def __init__(
        self,
        pools: Pools,
        fences: Fences,
        health: Health,
        internal: Callable[[str, str], Built],
        counts: InFlight,
    ) -> None:
        self._pools = pools
        self._fences = fences
        self._health = health
        self._internal = internal
        """``internal(name, kind)`` makes a service of our own; BuildError if there is none."""
        self._counts = counts
        self._hall = Hall()
        self.tunnels: Tunnels | None = None
        """What closes tunnels to servers that are removed."""
        self._built: dict[str, Built] = {}
        self.target_class = Target
        """What a server is asked by: another one with ``edgerouter.compat=traefik``."""
        self.composed = COMPOSED
        self.targets = Targets()
        """The servers of all services."""
        self._parents: dict[str, set[str]] = {}
        """The services that are made of a service, by its name."""
        self._transports: Mapping[str, Definition] = {}

    def get(self, name: str) -> Handler | None:
        """Return the service of the qualified ``name``."""
        built = self._built.get(name)
        return built.handler if built is not None else None

    def update(
        self,
        definitions: Mapping[str, Definition],
        transports: Mapping[str, Definition],
        middlewares: Mapping[str, Middleware],
        errors: dict[str, list[str]],
        touched: Iterable[str] | None = None,
        new_middlewares: Collection[str] = (),
    ) -> set[str]:
        """Make the services of a snapshot; what cannot be built is left out and noted.

        Args:
            definitions: All services.
            transports: All servers transports.
            middlewares: All middlewares, for services that have some of their own.
            errors: Takes what cannot be built.
            touched: The services that may be other ones than last time; None: all of them.
            new_middlewares: The middlewares that are other objects than last time.

        Returns:
            The names of the services that are other objects now, or gone.
        """
        # Equal ones stay the same objects, which makes comparing services quick.
        old = self._transports
        same = {
            name: old[name] if old.get(name) == new else new for name, new in transports.items()
        }
        if touched is None or same != old:
            touched = (*self._built, *definitions)
        self._transports = same
        names = dict.fromkeys(touched)
        self._add_parents(names, definitions, new_middlewares)
        run = _Run(self, definitions, same, middlewares, errors)
        for name in names:
            run.built.pop(name, None)
        for name in names:
            if name in definitions:
                run.service(name)
        before, self._built = self._built, run.built
        for name in names:
            self._exchange(name, before.get(name), run.built.get(name))
        self._hall.keep_only(run.built)
        if self.tunnels is not None:
            self.tunnels.keep_only(self.targets.urls)
        return {name for name in names if before.get(name) is not run.built.get(name)}

    def _add_parents(
        self,
        names: dict[str, None],
        definitions: Mapping[str, Definition],
        middlewares: Collection[str],
    ) -> None:
        """Add the services made of these, or of services with these middlewares, to ``names``."""
        below = list(names)
        if middlewares:
            below += (
                name
                for name, definition in definitions.items()
                if not set(definition.get("middlewares") or ()).isdisjoint(middlewares)
            )
        while below:
            above = self._parents.get(below.pop(), set()) - names.keys()
            names |= dict.fromkeys(above)
            below += above

    def _exchange(self, name: str, old: Built | None, new: Built | None) -> None:
        """Take note of what a service uses now."""
        if old is new:
            return
        self.targets.exchange(old.targets if old else (), new.targets if new else ())
        for child in old.children if old else ():
            parents = self._parents[child]
            parents.discard(name)
            if not parents:
                del self._parents[child]
        for child in new.children if new else ():
            self._parents.setdefault(child, set()).add(name)


class _Run:
    """One snapshot."""

    def __init__(
        self,
        builder: ServiceBuilder,
        definitions: Mapping[str, Definition],
        transports: Mapping[str, Definition],
        middlewares: Mapping[str, Middleware],
        errors: dict[str, list[str]],
    ) -> None:
        self._builder = builder
        self._definitions = definitions
        self._transports = transports
        self._middlewares = middlewares
        self._errors = errors
        self._targets: dict[Hashable, Target] = {}
        self.built = dict(builder._built)

    def service(self, name: str) -> Built | None:
        """Return the service ``name``, made or re-used; None when it cannot be."""
        made = self.built.get(name)
        if made is not None or (self._errors and f"services/{name}" in self._errors):
            return made
        try:
            made = self.built[name] = self._make(name, self._definitions[name])
        except (BuildError, ValueError) as error:
            self._errors[f"services/{name}"] = [str(error)]
        return made

    def _make(self, name: str, definition: Definition) -> Built:
        old = self._builder._built.get(name)
        if (  # What most services of most snapshots are: a load balancer as it was.
            old is not None
            and old.transport
            and old.parts == (definition, self._transports.get(old.transport))
        ):
            return old
        kind, options = definition.get("type"), definition.get("options") or {}
        if kind == "loadBalancer":
            return self._load_balancer(name, definition, options, old)
        if kind == "internal":
            if old is not None and old.parts == (definition,):
                return old
            made = self._builder._internal(name, str(options.get("name")))
            made.parts = (definition,)
            return made
        make = self._builder.composed.get(str(kind))
        if make is None:
            message = f"services of the kind {kind} are not served yet"
            raise BuildError(message)
        children = {child: self._child_parts(name, child) for child in _children(options)}
        parts = (definition, *(part for child in children.values() for part in child))
        if old is not None and old.parts == parts:
            return old

        def child(written: str, weight: int = 1) -> Child:
            service, *wrapped = children[written]
            return Child(written, chain(service, wrapped), service, weight)

        below = tuple(_qualified(written, name) for written in children)
        return Built(parts, make(name, options, child), children=below)

    def _child_parts(self, parent: str, written: str) -> tuple[Any, ...]:
        """Return the handler of a child and its own middlewares."""
        name = _qualified(written, parent)
        if name not in self._definitions:
            message = f"its service {name} does not exist"
            raise BuildError(message)
        made = self.service(name)
        if made is None:
            message = f"its service {name} could not be built"
            raise BuildError(message)
        parts: list[Any] = [made.handler]
        for middleware in self._definitions[name].get("middlewares") or ():
            if middleware not in self._middlewares:
                message = f"the middleware {middleware} of its service {name} could not be built"
                raise BuildError(message)
            parts.append(self._middlewares[middleware])
        return tuple(parts)

    def _load_balancer(
        self, name: str, definition: Definition, options: Definition, old: Built | None
    ) -> Built:
        transport = _qualified(options.get("serversTransport") or DEFAULT_TRANSPORT, name)
        if transport not in self._transports and transport != DEFAULT_TRANSPORT:
            message = f"the servers transport {transport} does not exist"
            raise BuildError(message)
        parts = (definition, self._transports.get(transport))
        former = old.handler if old is not None else None
        made = [
            self._server(transport, options, server, _state(former, server["url"]))
            for server in options.get("servers") or ()
            if not server.get("down")
        ]
        shuffle(made)  # As Traefik: reloads and workers do not all prefer the first.
        targets = tuple(server.forward for server in made if isinstance(server.forward, Target))
        builder = self._builder
        room = self._room(name, options)
        queue = former.queue if isinstance(former, LoadBalancer) else None
        balancer = LoadBalancer(
            name, made, builder._fences, options, builder._health, room, builder._counts, queue
        )
        balancer.scatter()
        balancer.tunnels = builder.tunnels
        if isinstance(former, LoadBalancer):
            balancer.replicas.inherit(former.replicas)
        if room is None:
            builder._hall.pass_on(name, balancer)
        return Built(parts, balancer, targets, transport)

    def _server(
        self, transport: str, options: Definition, definition: Definition, state: ServerState
    ) -> Server:
        target = self._target(
            definition["url"],
            transport,
            {
                "pass_host_header": options.get("passHostHeader", True) is not False,
                "preserve_path": bool(definition.get("preservePath")),
            },
        )
        weight = definition.get("weight")
        return Server(
            target.url,
            1 if weight is None else weight,
            target,
            backup=bool(definition.get("backup")),
            state=state,
        )

    def _target(self, url: str, transport: str, options: Mapping[str, bool]) -> Target:
        key = (url, transport, *options.values())
        target = self._targets.get(key) or self._builder.targets.get(key)
        definition = self._transports.get(transport) or {}
        if target is None or target.transport != definition:
            made = self._builder.target_class
            target = made(url, self._builder._pools, transport, definition, key=key, **options)
        self._targets[key] = target
        return target

    def _room(self, name: str, options: Definition) -> Room | None:
        duration, hold = options.get("tryDuration") or 0.0, options.get("hold") or 0.0
        if not duration and not hold:
            return None
        most = options.get("maxWaiting") or MAX_WAITING
        return self._builder._hall.room(name, duration, most, hold)


def _state(former: Handler | None, url: str) -> ServerState:
    """Return what is known of a server of the service that was there before."""
    state = ServerState()
    if isinstance(former, LoadBalancer):
        known = next((server.state for server in former.servers if server.url == url), None)
        if known is not None:
            return known
        state.usable_since = None  # It has come late, and starts slowly.
    return state


Make = Callable[[str, Definition, Callable[..., Child]], Handler]


def _weighted(name: str, options: Definition, child: Callable[..., Child]) -> Handler:
    cookie = (options.get("sticky") or {}).get("cookie")
    made = Weighted(
        name,
        _weighed(options, child),
        sticky=None if cookie is None else StickyCookie(name, cookie),
        minds_health=options.get("healthCheck") is not None,
    )
    made.scatter()
    return made


def _highest_random_weight(name: str, options: Definition, child: Callable[..., Child]) -> Handler:
    minds_health = options.get("healthCheck") is not None
    return HighestRandomWeight(name, _weighed(options, child), minds_health=minds_health)


def _weighed(options: Definition, child: Callable[..., Child]) -> list[Child]:
    return [
        child(each["name"], 1 if each.get("weight") is None else each["weight"])
        for each in options.get("services") or ()
    ]


def _mirroring(
    name: str,
    options: Definition,
    child: Callable[..., Child],
    kind: type[Mirroring] = Mirroring,
) -> Handler:
    mirrors = [
        Mirror(child(mirror["name"]), mirror.get("percent") or 0)
        for mirror in options.get("mirrors") or ()
    ]
    return kind(name, child(options["service"]), mirrors, options)


def _failover(
    name: str,
    options: Definition,
    child: Callable[..., Child],
    kind: type[Failover] = Failover,
) -> Handler:
    return kind(name, child(options["service"]), child(options["fallback"]), options)


COMPOSED: Mapping[str, Make] = {
    "weighted": _weighted,
    "highestRandomWeight": _highest_random_weight,
    "mirroring": _mirroring,
    "failover": _failover,
}
"""What makes a service of services, by its kind."""

COMPOSED_AS_TRAEFIK: Mapping[str, Make] = {
    **COMPOSED,
    "mirroring": partial(_mirroring, kind=TraefikMirroring),
    "failover": partial(_failover, kind=TraefikFailover),
}
"""The same with ``edgerouter.compat=traefik``."""


def _children(options: Definition) -> list[str]:
    """Return the services that a service is made of, as its configuration writes them."""
    groups = [*(options.get("services") or ()), *(options.get("mirrors") or ())]
    single = [options[name] for name in ("service", "fallback") if options.get(name)]
    return list(dict.fromkeys([*single, *(each["name"] for each in groups)]))


def _qualified(name: str, service: str) -> str:
    return name if "@" in name else f"{name}@{service.rpartition('@')[2]}"
