"""Middlewares of the runtime view: options decoded and tried, chains followed."""

import dataclasses
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from edgerouter.config.decode import Decoded, decode
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic.http import MiddlewareDefinition
from edgerouter.config.qualify import qualified, qualified_all
from edgerouter.config.types import suggestion
from edgerouter.control.runtime.model import MiddlewareInfo, missing
from edgerouter.control.runtime.naming import as_written
from edgerouter.http.handler import Handler
from edgerouter.middleware import ALLOW_EMPTY, TABLE, builder_of, canonical_name, options_of
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.proxy.upstream.tls import client_tls
from edgerouter.services.internal import noop

_PLUGIN = "plugin"
_MOST = 200
"""Middlewares one router or chain may come down to: a request passes them one inside the other."""


def decode_middleware(info: MiddlewareInfo, *, as_traefik: bool) -> list[Diagnostic]:
    """Fill in ``type`` and ``options``; a mistake disables the middleware and is returned.

    ``as_traefik``: what Traefik takes for no mistake is only doubtful.
    """
    if not info.is_served:
        return []
    try:
        return _decoded(info, as_traefik=as_traefik)
    except Exception as error:  # noqa: BLE001 - it is told, and concerns this middleware alone.
        return _refuse(info, _unforeseen(error))


def _decoded(info: MiddlewareInfo, *, as_traefik: bool) -> list[Diagnostic]:
    definition: MiddlewareDefinition = info.config
    name = canonical_name(definition.type)
    info.type = name or definition.type
    if name is None:
        info.is_misread = definition.type.lower() != _PLUGIN
        return _refuse(info, _unknown(definition.type))
    options = definition.options
    raw: Mapping[str, Any]
    if isinstance(options, Mapping) and (options or name in ALLOW_EMPTY):
        path, raw = f"{info.key}.{definition.type}", options
    elif isinstance(options, str) and name in ALLOW_EMPTY:
        if options.lower() not in {"", "true"}:
            return _refuse(info, f'{name} is switched off by "{options}"; remove the middleware')
        path, raw = info.key, {}
    else:
        info.is_misread = True
        return _refuse(info, f'"{name}" cannot be a standalone element; set one of its options')
    decoded = decode(
        options_of(name), raw, path=path, text=info.config.is_text, as_traefik=as_traefik
    )
    found = _take(info, name, decoded)
    if any(finding.severity == "error" for finding in found):
        info.is_misread = True
        return found
    return [*found, *_try(info, name, raw, path, as_traefik=as_traefik)]


def _unknown(kind: str) -> str:
    if kind.lower() == _PLUGIN:
        return "plugins are not supported"
    return f'unknown middleware type "{kind}"{suggestion(kind, TABLE)}'


def _unforeseen(error: Exception) -> str:
    """Return what to say of an error that nobody has thought of; its text may hold secrets."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"these options cannot be used ({type(error).__name__} in {place.name});"
        " look for values that are far too long, too large or too deeply nested"
    )


def _refuse(info: MiddlewareInfo, message: str) -> list[Diagnostic]:
    info.disable(message)
    return [info.diagnostic("error", message)]


def _take(info: MiddlewareInfo, name: str, decoded: Decoded[Any]) -> list[Diagnostic]:
    info.options = _with_qualified_references(name, decoded.value, info.provider)
    found = []
    for problem in decoded.problems:
        say = info.disable if problem.severity == "error" else info.warn
        say(f"{problem.path}: {problem.message}")
        finding = info.diagnostic(problem.severity, problem.message)
        found.append(dataclasses.replace(finding, key=problem.path))
    return found


def _with_qualified_references(name: str, options: Any, provider: str) -> Any:
    if name == "chain":
        names = tuple(qualified_all(options.middlewares, provider))
        return dataclasses.replace(options, middlewares=names)
    if name == "errors":
        return dataclasses.replace(options, service=qualified(options.service, provider))
    return options


def _try(
    info: MiddlewareInfo, name: str, raw: Mapping[str, Any], path: str, *, as_traefik: bool
) -> list[Diagnostic]:
    """Build the middleware once, so that options that cannot work are found here."""
    if name == "chain":
        return []
    build = builder_of(name)
    if build is None:
        return _refuse(info, f"the middleware type {name} is not served yet")
    doubts: list[str] = []
    context = BuildContext(info.name, server=_server, as_traefik=as_traefik, warn=doubts.append)
    try:
        build(info.options, context)
    except Exception as error:  # noqa: BLE001 - it is told, and concerns this middleware alone.
        is_known = isinstance(error, BuildError | ValueError)
        told = str(error) if is_known else _unforeseen(error)
        key, reason = as_written(told, options_of(name), raw, path)
        info.disable(f"{key}: {reason}")
        return [dataclasses.replace(info.diagnostic("error", reason), key=key)]
    found = []
    for doubt in doubts:
        key, reason = as_written(doubt, options_of(name), raw, path)
        info.warn(f"{key}: {reason}")
        found.append(dataclasses.replace(info.diagnostic("warning", reason), key=key))
    return found


def _server(_url: str, transport: Mapping[str, Any]) -> Handler:
    """Try what workers reach a server outside the services with.

    Raises:
        TransportError: The options cannot be used.
    """
    if transport:
        client_tls(transport)
    return noop


def check_chains(middlewares: Mapping[str, MiddlewareInfo]) -> list[Diagnostic]:
    """Disable chains that lead nowhere or back to themselves, and return why."""
    reasons = {
        name: expand([name], middlewares)[1]
        for name, info in middlewares.items()
        if info.type == "chain" and info.is_served
    }
    return [
        finding
        for name, errors in reasons.items()
        for error in errors
        for finding in _refuse(middlewares[name], error)
    ]


def expand(
    names: Iterable[str], middlewares: Mapping[str, MiddlewareInfo]
) -> tuple[list[str], list[str]]:
    """Return the middlewares that ``names`` come down to, and why they cannot be used."""
    walk = _Walk(middlewares)
    for name in names:
        walk.expand(name, ())
    if walk.steps > _MOST:
        walk.errors.append(
            f"its middlewares come down to more than {_MOST} with those of chains; name fewer"
        )
    return walk.expanded, list(dict.fromkeys(walk.errors))


def disabled(info: MiddlewareInfo) -> str:
    """Return what to say of a middleware that cannot be used."""
    return f'the middleware "{info.name}" is disabled: {info.errors[0] if info.errors else ""}'


class _Walk:
    """Follows names through chains, for a bounded number of steps."""

    def __init__(self, middlewares: Mapping[str, MiddlewareInfo]) -> None:
        self.expanded: list[str] = []
        self.errors: list[str] = []
        self.steps = 0
        self._middlewares = middlewares

    def expand(self, name: str, trail: tuple[str, ...]) -> None:
        self.steps += 1
        if self.steps > _MOST:
            return
        info = self._middlewares.get(name)
        if name in trail:
            path = " -> ".join((*trail[trail.index(name) :], name))
            self.errors.append(f"the chain of middlewares comes back to itself: {path}")
        elif info is None:
            self.errors.append(missing("middleware", name, self._middlewares))
        elif not info.is_served:
            self.errors.append(disabled(info))
        elif info.type == "chain":
            for child in info.options.middlewares:
                self.expand(child, (*trail, name))
        else:
            self.expanded.append(name)
