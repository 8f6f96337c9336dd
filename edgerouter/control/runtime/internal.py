"""What the router itself serves: ping, the API, redirections between entry points."""

import re

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration, HTTPConfiguration
from edgerouter.config.dynamic.http import MiddlewareDefinition, Router
from edgerouter.config.static import EntryPoint, StaticConfiguration
from edgerouter.config.static.internal import INTERNAL_ENTRY_POINT
from edgerouter.config.types import MAX_INT, suggestion

PROVIDER = "internal"

SERVICES = ("api", "dashboard", "ping", "noop")
"""Internal services that workers know."""

CHALLENGES = "acme-http"
"""The internal service that answers HTTP-01 challenges, there while a resolver needs it."""

UNSERVED = ("prometheus", "rest")
"""Internal services of Traefik that are not served yet."""

_PORT = re.compile(r":([0-9]+)")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Za-z]+")


def internal_configuration(
    static: StaticConfiguration,
) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    """Return the configuration of the provider ``internal``."""
    routers: dict[str, Router] = {}
    middlewares: dict[str, MiddlewareDefinition] = {}
    diagnostics: list[Diagnostic] = []
    if static.ping is not None and not static.ping.manual_routing:
        routers["ping"] = _router("/ping", "ping", static.ping.entry_point, MAX_INT)
    if static.api is not None and static.api.insecure:
        routers["api"] = _router("/api", "api", INTERNAL_ENTRY_POINT, MAX_INT - 1)
        if static.api.dashboard:
            _dashboard(routers, middlewares)
    _challenges(routers, static)
    for name, entry_point in static.entry_points.items():
        try:
            _redirect(name, entry_point, static, routers, middlewares)
        except ValueError as error:
            key = f"entryPoints.{name}.http.redirections.entryPoint.to"
            diagnostics.append(Diagnostic("error", str(error), PROVIDER, key=key))
    http = HTTPConfiguration(routers=routers, middlewares=middlewares)
    return DynamicConfiguration(http=http), diagnostics


def challenge_entry_points(static: StaticConfiguration) -> list[str]:
    """Return the entry points on which resolvers have HTTP-01 challenges answered."""
    named = [
        resolver.acme.http_challenge.entry_point
        for resolver in static.certificates_resolvers.values()
        if resolver.acme is not None and resolver.acme.http_challenge is not None
    ]
    return list(dict.fromkeys(filter(None, named)))


def _challenges(routers: dict[str, Router], static: StaticConfiguration) -> None:
    """Add the routers of HTTP-01 challenges; with ``allowACMEByPass`` longer rules go before."""
    path = "/.well-known/acme-challenge/"
    points = static.entry_points
    named = challenge_entry_points(static)
    by_pass = [name for name in named if name in points and points[name].allow_acme_by_pass]
    if others := [name for name in named if name not in by_pass]:
        router = _router(path, CHALLENGES, others[0], MAX_INT)
        routers[CHALLENGES] = router.model_copy(update={"entry_points": others})
    if by_pass:
        router = _router(path, CHALLENGES, by_pass[0], 0)
        update = {"entry_points": by_pass, "rule_syntax": ""}
        routers[f"{CHALLENGES}-bypass"] = router.model_copy(update=update)


def _router(path: str, service: str, entry_point: str, priority: int) -> Router:
    return Router(
        entry_points=[entry_point],
        service=f"{service}@{PROVIDER}",
        rule=f"PathPrefix(`{path}`)",
        rule_syntax="default",
        priority=priority,
    )


def _dashboard(routers: dict[str, Router], middlewares: dict[str, MiddlewareDefinition]) -> None:
    """Add the router of the dashboard and its middlewares, named as in Traefik.

    There is no prefix in front of them: ``api.basePath`` excludes ``api.insecure``.
    """
    middlewares["dashboard_redirect"] = MiddlewareDefinition(
        type="redirectRegex",
        options={
            "regex": r"^(http:\/\/(\[[\w:.]+\]|[\w\._-]+)(:\d+)?)\/$",
            "replacement": "${1}/dashboard/",
            "permanent": True,
        },
    )
    middlewares["dashboard_stripprefix"] = MiddlewareDefinition(
        type="stripPrefix", options={"prefixes": ("/dashboard/", "/dashboard")}
    )
    router = _router("/", "dashboard", INTERNAL_ENTRY_POINT, MAX_INT - 2)
    names = [f"{name}@{PROVIDER}" for name in ("dashboard_redirect", "dashboard_stripprefix")]
    routers["dashboard"] = router.model_copy(update={"middlewares": names})


def _redirect(
    name: str,
    entry_point: EntryPoint,
    static: StaticConfiguration,
    routers: dict[str, Router],
    middlewares: dict[str, MiddlewareDefinition],
) -> None:
    redirections = entry_point.http.redirections
    if redirections is None or redirections.entry_point is None:
        return
    target = redirections.entry_point
    port = _redirection_port(target.to, static)
    router = _NOT_ALPHANUMERIC.sub("-", f"{name}-to-{target.to}").strip("-")
    middleware = f"redirect-{router}"
    options = {"scheme": target.scheme, "port": port, "permanent": target.permanent}
    middlewares[middleware] = MiddlewareDefinition(type="redirectScheme", options=options)
    routers[router] = Router(
        entry_points=[name],
        middlewares=[middleware],
        service=f"noop@{PROVIDER}",
        rule="HostRegexp(`^.+$`)",
        rule_syntax="default",
        priority=target.priority,
    )


def _redirection_port(to: str, static: StaticConfiguration) -> str:
    """Return the port of the target, which is an entry point's name or ``:port``.

    Raises:
        ValueError: There is no such entry point.
    """
    if not to:
        raise ValueError("the target is missing; name an entry point or write :port")
    if written := _PORT.fullmatch(to):
        return written[1]
    entry_point = static.entry_points.get(to)
    if entry_point is None:
        near = suggestion(to, static.entry_points)
        raise ValueError(f'there is no entry point "{to}"{near}')
    return entry_point.address.partition("/")[0].rpartition(":")[2]
