"""What may stand between a router and its service: one file per middleware.

``TABLE`` maps Traefik's names to modules; a module is imported when it is first
needed. Every module has ``Options``; one without ``build`` is not served yet.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from edgerouter.config.schema import fields_of, is_struct, plain_type
from edgerouter.http.handler import Middleware
from edgerouter.middleware.base import BuildContext

TABLE = {
    "addPrefix": "add_prefix",
    "bandwidth": "bandwidth",
    "basicAuth": "basic_auth",
    "buffering": "buffering",
    "chain": "chain",
    "circuitBreaker": "circuit_breaker",
    "compress": "compress",
    "contentType": "content_type",
    "digestAuth": "digest_auth",
    "encodedCharacters": "encoded_characters",
    "errorPages": "error_pages",
    "errors": "errors",
    "forwardAuth": "forward_auth",
    "grpcWeb": "grpc_web",
    "headers": "headers",
    "inFlightReq": "in_flight_req",
    "ipAllowList": "ip_allow_list",
    "ipWhiteList": "ip_white_list",
    "maintenance": "maintenance",
    "passTLSClientCert": "pass_tls_client_cert",
    "rateLimit": "rate_limit",
    "realIp": "real_ip",
    "redirectRegex": "redirect_regex",
    "redirectScheme": "redirect_scheme",
    "replacePath": "replace_path",
    "replacePathRegex": "replace_path_regex",
    "requestId": "request_id",
    "retry": "retry",
    "stripPrefix": "strip_prefix",
    "stripPrefixRegex": "strip_prefix_regex",
    "via": "via",
}
"""The name of each middleware in labels and files, and its module in this package."""

ALLOW_EMPTY = frozenset(
    {"compress", "contentType", "errorPages", "maintenance", "realIp", "requestId", "via"}
)
"""Middlewares that may be switched on as a whole, as in ``compress=true``."""

WITH_STATE = frozenset({"basicAuth", "circuitBreaker", "digestAuth", "inFlightReq", "rateLimit"})
"""Middlewares that remember something between requests, which Traefik forgets with each
configuration; basicAuth the users of a file."""

Build = Callable[[Any, BuildContext], Middleware]

_BY_FOLDED = {name.lower(): name for name in TABLE}


def canonical_name(name: str) -> str | None:
    """Return Traefik's spelling of a middleware's name in whatever case, or None."""
    return _BY_FOLDED.get(name.lower())


def options_of(name: str) -> type[Any]:
    """Return the ``Options`` dataclass of a middleware.

    Raises:
        KeyError: There is no such middleware.
    """
    options: type[Any] = _module(name).Options
    return options


def builder_of(name: str) -> Build | None:
    """Return the ``build`` of a middleware, or None if it is not served yet.

    Raises:
        KeyError: There is no such middleware.
    """
    build: Build | None = getattr(_module(name), "build", None)
    return build


def options_from(name: str, values: Mapping[str, Any]) -> Any:
    """Make ``Options`` of what a snapshot holds (``dataclasses.asdict``, after JSON)."""
    return _revive(options_of(name), values)


@cache
def _module(name: str) -> Any:
    return import_module(f"{__name__}.{TABLE[name]}")


def _revive(model: Any, values: Mapping[str, Any]) -> Any:
    made = {}
    for spec in fields_of(model):
        if spec.name not in values:
            continue
        value = values[spec.name]
        kind = plain_type(spec.annotation)
        if is_struct(kind) and value is not None and not dataclasses.is_dataclass(value):
            value = _revive(kind, value)
        elif isinstance(value, list):
            value = tuple(value)
        made[spec.name] = value
    return model(**made)
