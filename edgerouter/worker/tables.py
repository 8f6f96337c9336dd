"""The route tables of all entry points, kept up to date with the routes.

A change costs what it concerns: a route whose handler alone is new stays where it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgerouter.http import lines
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.routing.compiled import CompiledRule, compile_anew
from edgerouter.routing.lexer import RuleError
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable
from edgerouter.services.internal import noop
from edgerouter.tls.selection import Certificates
from edgerouter.worker.tls import Secured, SecureRoutes, with_challenges
from edgerouter.worker.unmatched import Unmatched

Definition = Mapping[str, Any]
Routes = Mapping[str, tuple[tuple[Any, ...], Route]]
"""What each route was made from, its definition first, and the route, by name of the router."""
NOWHERE: frozenset[str] = frozenset()


class Difference:
    """Routes that leave one table and routes that come."""

    __slots__ = ("added", "removed")

    def __init__(self) -> None:
        self.added: list[Route] = []
        self.removed: list[Route] = []


class Tables:
    """The tables of one worker."""

    def __init__(
        self,
        entrypoints: Mapping[str, EntryPoint],
        certificates: Certificates,
        unmatched: Unmatched,
    ) -> None:
        self._entrypoints = entrypoints
        self._unmatched = unmatched
        self._plain = {name: RouteTable(()) for name in entrypoints}
        self._secure = {name: SecureRoutes(certificates) for name in entrypoints}
        self._disabled: object = None

    def update(self, old: Routes, new: Routes, names: Iterable[str], snapshot: Definition) -> None:
        """Exchange the ``old`` routes of these ``names`` for the ``new`` ones, all at once."""
        plain = {name: Difference() for name in self._entrypoints}
        secure: dict[str, dict[str, Secured | None]] = {name: {} for name in self._entrypoints}
        for name in names:
            self._note(name, old.get(name), new.get(name), plain, secure)
        tls = snapshot.get("tls") or {}
        for name, difference in plain.items():
            if difference.added or difference.removed:
                self._plain[name] = self._plain[name].updated(difference.removed, difference.added)
            self._secure[name].update(secure[name], strict=bool(tls.get("strictOptions")))
        self._install(tls.get("http01") or {})
        disabled = snapshot.get("disabled") or ()
        if disabled != self._disabled:
            self._disabled = disabled
            self._note_disabled(disabled)

    def _note(
        self,
        name: str,
        old: tuple[tuple[Any, ...], Route] | None,
        new: tuple[tuple[Any, ...], Route] | None,
        plain: Mapping[str, Difference],
        secure: Mapping[str, dict[str, Secured | None]],
    ) -> None:
        """Note what becomes of one router in each table."""
        before, after = _places(old), _places(new)
        stays = old is not None and new is not None and old[1] is new[1]
        for entrypoint in before[0] - after[0] if stays else before[0]:
            if old is not None and entrypoint in plain:
                plain[entrypoint].removed.append(old[1])
        for entrypoint in after[0] - before[0] if stays else after[0]:
            if new is not None and entrypoint in plain:
                plain[entrypoint].added.append(new[1])
        for entrypoint in before[1] | after[1]:
            if entrypoint in secure:
                comes = new is not None and entrypoint in after[1]
                secure[entrypoint][name] = (new[0][0], new[1]) if comes and new else None

    def _install(self, challenges: Mapping[str, str]) -> None:
        secure = {name: routes.table for name, routes in self._secure.items()}
        hosts = sum(table.hosts for table in (*self._plain.values(), *secure.values()))
        most = lines.serve_hosts(hosts)
        for name, entrypoint in self._entrypoints.items():
            answers = challenges if entrypoint.answers_challenges else {}
            self._secure[name].install(entrypoint, answers)
            entrypoint.table = with_challenges(self._plain[name], answers)
            entrypoint.hosts.most = most
        self._unmatched.tables = dict(self._plain)
        self._unmatched.secure = secure

    def _note_disabled(self, definitions: Sequence[Definition]) -> None:
        tables: dict[str, list[Route]] = {}
        reasons = {}
        for definition in definitions:
            try:
                rule = compiled(definition, None)
            except RuleError:
                continue
            route = Route(definition["router"], rule, handler=noop, priority=1)
            reasons[route.name] = definition.get("reason") or ""
            for name in definition.get("entryPoints") or ():
                tables.setdefault(name, []).append(route)
        self._unmatched.disabled = {name: RouteTable(routes) for name, routes in tables.items()}
        self._unmatched.reasons = reasons


def _places(built: tuple[tuple[Any, ...], Route] | None) -> tuple[frozenset[str], frozenset[str]]:
    """Return the entry points on which a router answers plain and TLS connections."""
    if built is None:
        return NOWHERE, NOWHERE
    definition = built[0][0]
    names = frozenset(definition["entryPoints"])
    return (names, NOWHERE) if definition.get("tls") is None else (NOWHERE, names)


def compiled(
    definition: Definition, old: CompiledRule | None, *, as_traefik: bool = False
) -> CompiledRule:
    """Return the rule of a router, the ``old`` one if it still says the same.

    Raises:
        RuleError: It is no rule.
    """
    text, syntax = definition["rule"], definition.get("ruleSyntax") or "v3"
    if old is not None and (old.text, old.syntax) == (text, syntax):
        return old
    return compile_anew(text, syntax, as_traefik=as_traefik)
