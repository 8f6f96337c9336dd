"""Routers of the runtime view: effective entry points, priority, chain and service, or a reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic.http import Router, RouterObservability, RouterTLS
from edgerouter.config.qualify import qualified, qualified_all
from edgerouter.config.static import EntryPoint, StaticConfiguration
from edgerouter.config.static.entrypoints import EntryPointObservability
from edgerouter.config.static.internal import INTERNAL_ENTRY_POINT
from edgerouter.config.types import MAX_INT, suggestion
from edgerouter.control.runtime.internal import PROVIDER, UNSERVED
from edgerouter.control.runtime.middlewares import disabled, expand
from edgerouter.control.runtime.model import ElementInfo, HTTPRuntime, RouterInfo, missing
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.lexer import RuleError

MAX_USER_PRIORITY = MAX_INT - 1000
"""Priorities above are for internal routers (Traefik)."""


def default_entry_points(static: StaticConfiguration) -> list[str]:
    """Return the entry points of HTTP routers that name none."""
    points = static.entry_points
    chosen = [name for name, point in points.items() if point.as_default]
    if not chosen:
        chosen = [
            name
            for name, point in points.items()
            if name != INTERNAL_ENTRY_POINT and not point.address.endswith("/udp")
        ]
    return sorted(chosen)


def precedences(static: StaticConfiguration) -> dict[str, int]:
    """Return the rank of each provider, by its name in lower case; higher wins."""
    order = [name.lower() for name in static.providers.precedence]
    ranks = {name: len(order) - index for index, name in enumerate(order)}
    return {**ranks, PROVIDER: len(order) + 1}


Outcome = Literal["warn", "disable", "echo"]
"""An echo disables as well, but repeats what is said of something else in the same place."""


@dataclass(frozen=True, slots=True)
class RouterChecker:
    """Decides about routers, one after the other, once everything they refer to is known."""

    static: StaticConfiguration
    http: HTTPRuntime
    defaults: list[str]
    ranks: Mapping[str, int]

    def check(self, info: RouterInfo) -> list[Diagnostic]:
        """Fill in what follows from the configuration; return what is wrong.

        Each router is one entry of the view; ``split`` has been applied before.
        """
        was_served = info.is_served
        found: list[Diagnostic] = []
        for outcome, message in self._findings(info):
            if outcome == "warn":
                info.warn(message)
            else:
                info.disable(message)
            if outcome != "echo":
                found.append(info.diagnostic("error", message))
        # What a provider found wrong it has reported itself; the rest would only echo it.
        return found if was_served else []

    def _findings(self, info: RouterInfo) -> Iterator[tuple[Outcome, str]]:
        router: Router = info.config
        info.precedence = self.ranks.get(info.provider.lower(), 0)
        info.rule = router.rule
        info.priority = router.priority or len(router.rule.encode("utf-8", "surrogateescape"))
        info.rule_syntax = self._syntax(router)
        info.observability = self._observability(router.observability, info.using)
        yield from self._entry_points(info, router)
        yield from self._rule(info, router)
        yield from self._service(info, router)
        yield from self._middlewares(info)

    def _syntax(self, router: Router) -> str:
        if router.rule_syntax in {"v2", "v3"}:
            return router.rule_syntax
        return "v3" if router.rule_syntax else self.static.core.default_rule_syntax

    def _observability(
        self, own: RouterObservability | None, using: list[str]
    ) -> RouterObservability:
        """Return what is recorded; what the router leaves open its entry point decides."""
        point = self.static.entry_points[using[0]].observability if using else None
        values = point.model_dump(by_alias=False) if point is not None else {}
        if own is not None:
            values.update(own.model_dump(by_alias=False, exclude_none=True))
        return RouterObservability(**values)

    def _entry_points(self, info: RouterInfo, router: Router) -> Iterator[tuple[Outcome, str]]:
        for name in router.entry_points:
            if name not in self.static.entry_points:
                near = suggestion(name, self.static.entry_points)
                yield "warn", f'the entry point "{name}" does not exist{near}'
        if not info.using and not router.parent_refs:
            yield "disable", "the router has no entry point"

    def _rule(self, info: RouterInfo, router: Router) -> Iterator[tuple[Outcome, str]]:
        if not router.rule.strip():
            yield "disable", "the router has no rule; write one such as Host(`example.com`)"
            return
        try:
            compile_rule(router.rule, info.rule_syntax)
        except RuleError as error:
            yield "disable", f"the rule {router.rule} is not valid: {error}"
        is_root = not router.parent_refs
        if is_root and info.priority > MAX_USER_PRIORITY and info.provider != PROVIDER:
            limit = f"{MAX_USER_PRIORITY}, the largest a router may have"
            yield "disable", f"priority: {info.priority} is above {limit}"

    def _service(self, info: RouterInfo, router: Router) -> Iterator[tuple[Outcome, str]]:
        info.service = qualified(router.service, info.provider)
        if info.children:
            if info.service:
                below = ", ".join(info.children)
                yield "warn", f"its service is not used, for routers are below it: {below}"
            return
        if not info.service:
            yield "disable", "the router has no service"
            return
        service = self.http.services.get(info.service)
        if service is None:
            name, _, provider = info.service.rpartition("@")
            if provider == PROVIDER and name in UNSERVED:
                yield "disable", f'the service "{info.service}" is not served yet'
            else:
                yield "disable", missing("service", info.service, self.http.services)
            return
        if info.name not in service.used_by:
            service.used_by.append(info.name)
        if not service.is_served:
            outcome = _outcome_of(service, info)
            yield outcome, f'the service "{service.name}" is disabled: {service.errors[0]}'

    def _middlewares(self, info: RouterInfo) -> Iterator[tuple[Outcome, str]]:
        echoes = set()
        for name in info.middlewares:
            used = self.http.middlewares.get(name)
            if used is None:
                continue
            if info.name not in used.used_by:
                used.used_by.append(info.name)
            if not used.is_served and _outcome_of(used, info) == "echo":
                echoes.add(disabled(used))
        service = self.http.services.get(info.service)
        # A service's own middlewares run right after the router's.
        own = service.config.middlewares if service is not None and service.config else []
        info.middlewares, errors = expand([*info.middlewares, *own], self.http.middlewares)
        for message in errors:
            yield "echo" if message in echoes else "disable", message
        for name in info.middlewares:
            yield from self._error_pages(info, name)

    def _error_pages(self, info: RouterInfo, name: str) -> Iterator[tuple[Outcome, str]]:
        """Check the service that the middleware ``name`` takes its pages from, if it is one."""
        middleware = self.http.middlewares[name]
        if middleware.type != "errors":
            return
        wanted = middleware.options.service
        service = self.http.services.get(wanted)
        if service is None:
            reason = missing("service", wanted, self.http.services)
            yield "disable", f'the middleware "{name}" has no pages: {reason}'
            return
        if info.name not in service.used_by:
            service.used_by.append(info.name)
        if not service.is_served:
            reason = f'the service "{wanted}" is disabled: {service.errors[0]}'
            yield "disable", f'the middleware "{name}" has no pages: {reason}'


def _outcome_of(cause: ElementInfo, info: RouterInfo) -> Outcome:
    """Tell what becomes of a router whose service or middleware is disabled."""
    return "echo" if info.source and info.source in cause.source.split(", ") else "disable"


def split(info: RouterInfo, static: StaticConfiguration, defaults: list[str]) -> list[RouterInfo]:
    """Return the router once for the entry points that add nothing, and once for each that does.

    Entry points may add middlewares, TLS or other observability; with several entry points
    the copies are called ``<entry point>-<router>``, as Traefik calls them. A router
    below others (``parentRefs``) stands on no entry point.
    """
    router: Router = info.config
    wanted = router.entry_points or defaults
    if router.parent_refs:
        wanted = router.entry_points
    info.using = sorted({name for name in wanted if name in static.entry_points})
    info.middlewares = list(router.middlewares)
    info.tls = router.tls
    as_traefik = static.edgerouter.compat == "traefik"
    special = [
        name for name in info.using if _adds(static.entry_points[name], as_traefik=as_traefik)
    ]
    if not special or router.parent_refs:
        return [info]
    plain = [name for name in info.using if name not in special]
    parts = [_copy(info, info.name, plain)] if plain else []
    for name in special:
        point = static.entry_points[name]
        copy_name = f"{name}-{info.name}" if len(info.using) > 1 else info.name
        part = _copy(info, copy_name, [name])
        part.middlewares = [
            *qualified_all(point.http.middlewares, info.provider),
            *part.middlewares,
        ]
        if part.tls is None and point.http.tls is not None:
            part.tls = RouterTLS.model_validate(point.http.tls.model_dump(by_alias=True))
        parts.append(part)
    return parts


_STANDARD = EntryPointObservability()


def _adds(point: EntryPoint, *, as_traefik: bool) -> bool:
    """Tell whether routers differ there; in Traefik also because of what it refuses in paths."""
    http = point.http
    if as_traefik and not all(allowed for _, allowed in http.encoded_characters):
        return True
    return bool(http.middlewares) or http.tls is not None or point.observability != _STANDARD


def _copy(info: RouterInfo, name: str, using: list[str]) -> RouterInfo:
    return RouterInfo(
        name=name,
        provider=info.provider,
        config=info.config,
        path=info.path,
        source=info.source,
        key=info.key,
        notes=info.notes,
        status=info.status,
        errors=list(info.errors),
        using=using,
        middlewares=list(info.middlewares),
        tls=info.tls,
    )
