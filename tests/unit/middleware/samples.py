"""Options of every middleware: some that let a request pass, and some that cannot work."""

from typing import Any

from edgerouter.config.decode import decode
from edgerouter.http.handler import Middleware
from edgerouter.middleware import builder_of, options_of
from edgerouter.middleware.base import BuildContext

BASIC = "bob:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
"""The password is ``test``."""

PASSING: dict[str, dict[str, Any]] = {
    "addPrefix": {"prefix": "/x"},
    "bandwidth": {"rate": "100m"},
    "basicAuth": {"users": [BASIC]},
    "buffering": {},
    "circuitBreaker": {"expression": "NetworkErrorRatio() > 0.5"},
    "compress": {},
    "contentType": {},
    "digestAuth": {"users": ["bob:traefik:0"]},
    "encodedCharacters": {},
    "errorPages": {},
    "errors": {"status": ["500"], "service": "pages", "query": "/"},
    "forwardAuth": {"address": "http://127.0.0.1:9"},
    "grpcWeb": {"allowOrigins": ["*"]},
    "headers": {
        "customRequestHeaders": {"X-A": "b"},
        "customResponseHeaders": {"X-A": "b"},
        "accessControlAllowOriginList": ["*"],
        "frameDeny": True,
    },
    "inFlightReq": {"amount": 5},
    "ipAllowList": {"sourceRange": ["192.0.2.0/24"]},
    "ipWhiteList": {"sourceRange": ["192.0.2.0/24"]},
    "maintenance": {"enabled": False},
    "passTLSClientCert": {"pem": True},
    "rateLimit": {"average": 1000, "burst": 1000},
    "realIp": {},
    "redirectRegex": {"regex": "^nothing$", "replacement": "/"},
    "redirectScheme": {"scheme": "http"},
    "replacePath": {"path": "/x"},
    "replacePathRegex": {"regex": "^/", "replacement": "/x/"},
    "requestId": {},
    "retry": {"attempts": 2, "status": ["500"]},
    "stripPrefix": {"prefixes": ["/"]},
    "stripPrefixRegex": {"regex": ["^/"]},
    "via": {},
}

BAD: dict[str, dict[str, str]] = {
    "addPrefix": {"prefix": ""},
    "bandwidth": {"rate": "fast"},
    "basicAuth": {"users": "nocolon"},
    "buffering": {"retryexpression": "Attempts() <"},
    "chain": {"middlewares": "nobody"},
    "circuitBreaker": {"expression": "Nothing() > 1"},
    "compress": {"encodings": "deflate"},
    "contentType": {"autodetect": "perhaps"},
    "digestAuth": {"users": "bob:x"},
    "encodedCharacters": {"allowencodedslash": "perhaps"},
    "errorPages": {"status": "5xx"},
    "errors": {"status": "5xx", "service": "pages"},
    "forwardAuth": {"address": "localhost:80"},
    "grpcWeb": {"alloworigin": "*"},
    "headers": {"accesscontrolalloworiginlistregex": "("},
    "inFlightReq": {"amount": "many"},
    "ipAllowList": {"sourcerange": "10.0.0.0/99"},
    "ipWhiteList": {"sourcerange": "ten"},
    "maintenance": {"allowedips": "ten"},
    "passTLSClientCert": {"info.subject.country": "perhaps"},
    "rateLimit": {"average": "1", "period": "-1s"},
    "realIp": {"trusted": "everybody"},
    "redirectRegex": {"regex": "(", "replacement": "x"},
    "redirectScheme": {"scheme": ""},
    "replacePath": {"path": "/%zz"},
    "replacePathRegex": {"regex": "(?!x)", "replacement": "x"},
    "requestId": {"header": "a b"},
    "retry": {"attempts": "0"},
    "stripPrefix": {"prefixs": "/x"},
    "stripPrefixRegex": {"regex": "["},
    "via": {"name": "a b\x00"},
}
"""By type: labels below it, as somebody may have written them; the first one that is wrong."""

WRONG = {"rateLimit": "period"}
"""The option at fault where it is not the first."""


def built(kind: str, options: dict[str, Any] | None = None, **context: Any) -> Middleware:
    """Build a middleware; without ``options`` one that lets requests pass."""
    decoded = decode(options_of(kind), PASSING[kind] if options is None else options)
    assert decoded.problems == []
    build = builder_of(kind)
    assert build is not None
    return build(decoded.value, BuildContext(f"{kind}@file", **context))
