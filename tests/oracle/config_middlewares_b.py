# ruff: noqa: E501 (one middleware per line reads as a table)
"""Middlewares that rewrite, answer, compress, repeat: each has a host of its own name."""

from typing import Any

ODD = (
    "mailto:x@y",
    ":x",
    "1a:x",
    "x.test/a:b",
    "a:b%zz",
    " http://x.test/",
    "http://é.test/",
    "http://x%20y/",
    "http://x%c3%a9/",
    "http://x%25y/",
    "http://x.test",
    "//x.test/",
    "?q",
    "#f",
)
"""Replacements that make strange URLs, or none."""

MIDDLEWARES: dict[str, dict[str, Any]] = {
    "rr": {"redirectRegex": {"regex": "^http://([^/]+)/old/(.*)", "replacement": "http://$1/new/${2}"}},
    "rr-named": {"redirectRegex": {"regex": "^https?://(?P<host>[^/:]+)(?::[0-9]+)?/(?P<rest>.*)", "replacement": "https://www.$host/${rest}", "permanent": True}},
    "rr-float": {"redirectRegex": {"regex": "a", "replacement": "b"}},
    "rr-same": {"redirectRegex": {"regex": "^(.*)$", "replacement": "$1"}},
    "rr-long-name": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "http://x.test/$1x/$2"}},
    "rr-dollar": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "http://x.test/$$1/${2/$"}},
    "rr-space": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "HTTP://X.test/a b/é?q=a b#f g"}},
    "rr-escape": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "http://x.test/%zz"}},
    "rr-badhost": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "http://x y/$2"}},
    "rr-badport": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "http://x:y/$2"}},
    "rr-relative": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": "/moved/$2"}},
    "rr-empty": {"redirectRegex": {"regex": "^http://([^/]+)/(.*)", "replacement": ""}},
    "rr-optional": {"redirectRegex": {"regex": "/(x)?y", "replacement": "/[$1]"}},
    "rr-bad": {"redirectRegex": {"regex": "(", "replacement": "x"}},
    **{f"rr-odd-{number}": {"redirectRegex": {"regex": "^http://([^/]*)/", "replacement": replacement}} for number, replacement in enumerate(ODD)},
    "rs": {"redirectScheme": {"scheme": "https"}},
    "rs-http": {"redirectScheme": {"scheme": "http", "port": "8080"}},
    "ap": {"addPrefix": {"prefix": "/x"}},
    "ap-plain": {"addPrefix": {"prefix": "a b"}},
    "ap-none": {"addPrefix": {"prefix": ""}},
    "sp": {"stripPrefix": {"prefixes": [" /foo ", "/foobar"]}},
    "sp-none": {"stripPrefix": {"prefixes": []}},
    "rr-query": {"redirectRegex": {"regex": "\\?(.*)$", "replacement": "?z=$1"}},
    "rp": {"replacePath": {"path": "/fixed"}},
    "rp-escaped": {"replacePath": {"path": "/a%2Fb c?d"}},
    "rp-empty": {"replacePath": {"path": "/"}},
    "rp-utf8": {"replacePath": {"path": "/café"}},
    "rpr": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/v1/$1"}},
    "rpr-all": {"replacePathRegex": {"regex": " a|b ", "replacement": "x"}},
    "rpr-bounds": {"replacePathRegex": {"regex": "x*", "replacement": "-"}},
    "rpr-slashes": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/v1//$1"}},
    "rpr-dots": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/v1/../$1"}},
    "rpr-noslash": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "$1"}},
    "rpr-none": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": " "}},
    "rpr-escape": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/%zz"}},
    "rpr-space": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/a b/$1"}},
    "rpr-query": {"replacePathRegex": {"regex": "^/api/(.*)", "replacement": "/x?y=$1"}},
    "rpr-bad": {"replacePathRegex": {"regex": "(?!x)", "replacement": "/x"}},
    "spr": {"stripPrefixRegex": {"regex": ["^/a/[0-9]+", " /b/[a-z]+ ", "/c"]}},
    "spr-space": {"stripPrefixRegex": {"regex": ["/a [a-z]/"]}},
    "spr-empty": {"stripPrefixRegex": {"regex": ["^/?$", "x*"]}},
    "spr-bad": {"stripPrefixRegex": {"regex": ["["]}},
    "err": {"errors": {"status": ["404", "500-503"], "service": "based", "query": "/{status}.html?u={url}&o={originalStatus}"}},
    "err-escape": {"errors": {"status": ["500"], "service": "api", "query": "/%zz"}},
    "err-no-names": {"errors": {"status": ["500"], "service": "api", "query": "/p", "errorRequestHeaders": []}},
    "err-rewrite": {"errors": {"status": ["400-599"], "statusRewrites": {"418": 404, "500-503": 200}, "service": "api", "query": "{status}/{originalStatus}"}},
    "err-none": {"errors": {"status": ["500"], "service": "nobody", "query": "/"}},
    "err-bad": {"errors": {"status": ["5xx"], "service": "api", "query": "/"}},
    "err-header": {"errors": {"status": ["500"], "service": "api", "query": "/p", "errorRequestHeaders": ["X-Kept"]}},
    "err-noquery": {"errors": {"status": ["500"], "service": "api"}},
    "err-down": {"errors": {"status": ["500"], "service": "refused", "query": "/p"}},
    "err-up": {"errors": {"status": ["502", "503", "504"], "service": "api", "query": "/p?{url}"}},
    "re": {"retry": {"attempts": 3}},
    "re-status": {"retry": {"attempts": 3, "status": ["500-599"], "maxRequestBodyBytes": 10}},
    "re-all": {"retry": {"attempts": 2, "status": ["503"], "retryNonIdempotentMethod": True}},
    "re-only": {"retry": {"attempts": 2, "disableRetryOnNetworkError": True}},
    "re-zero": {"retry": {"attempts": 0}},
    "re-bad": {"retry": {"attempts": 2, "status": ["x"]}},
    "re-refused": {"retry": {"attempts": 2, "initialInterval": "1ms"}},
    "cb": {"circuitBreaker": {"expression": "ResponseCodeRatio(500, 600, 0, 600) > 0.99", "checkPeriod": "1ms"}},
    "cb-code": {"circuitBreaker": {"expression": "NetworkErrorRatio() > 0.50 || LatencyAtQuantileMS(50.0) > 100000", "responseCode": 429, "checkPeriod": "1ms"}},
    "cb-empty": {"circuitBreaker": {"expression": ""}},
    "cb-bad": {"circuitBreaker": {"expression": "Nothing() > 1"}},
    "cb-value": {"circuitBreaker": {"expression": "NetworkErrorRatio()"}},
    "cb-open": {"circuitBreaker": {"expression": "(NetworkErrorRatio() > 0.5"}},
    "cb-threshold": {"circuitBreaker": {"expression": "RequestThreshold() > 1"}},
    "err-own": {"errors": {"status": ["500"], "service": "m-own", "query": "/p"}},
    "own": {"addPrefix": {"prefix": "/router"}},
    "own-first": {"addPrefix": {"prefix": "/first"}},
    "own-second": {"addPrefix": {"prefix": "/second"}},
    "own-chain": {"chain": {"middlewares": ["m-own-first", "m-own-second@file"]}},
    "own-lost": {"addPrefix": {"prefix": "/lost"}},
    "own-child": {"addPrefix": {"prefix": "/child"}},
    "co": {"compress": {"minResponseBodyBytes": 100}},
    "co-order": {"compress": {"encodings": ["zstd", "br", "gzip"]}},
    "co-default": {"compress": {"defaultEncoding": "zstd", "minResponseBodyBytes": 10}},
    "co-default-gzip": {"compress": {"defaultEncoding": "gzip", "minResponseBodyBytes": 10}},
    "co-refused": {"compress": {"minResponseBodyBytes": 1}},
    "ct-refused": {"contentType": {}},
    "co-exclude": {"compress": {"excludedContentTypes": ["text/html", "image/png; a=b"], "minResponseBodyBytes": 10}},
    "co-include": {"compress": {"includedContentTypes": ["application/json"], "minResponseBodyBytes": 10}},
    "co-both": {"compress": {"includedContentTypes": ["a/b"], "excludedContentTypes": ["a/c"]}},
    "co-none": {"compress": {"encodings": []}},
    "co-unknown": {"compress": {"encodings": ["gzip", "deflate"]}},
    "co-badtype": {"compress": {"excludedContentTypes": ["text html"]}},
    "co-baddefault": {"compress": {"encodings": ["gzip"], "defaultEncoding": "br"}},
    "co-gzip": {"compress": {"encodings": ["gzip"], "minResponseBodyBytes": 10}},
    "bu": {"buffering": {"maxRequestBodyBytes": 10, "maxResponseBodyBytes": 1000}},
    "bu-disk": {"buffering": {"memRequestBodyBytes": 4, "memResponseBodyBytes": 4}},
    "bu-retry": {"buffering": {"retryExpression": "Attempts() < 3 && IsNetworkError()"}},
    "bu-retry-code": {"buffering": {"retryExpression": "ResponseCode() == 503 && RequestMethod() == \"GET\" && Attempts() <= 2"}},
    "bu-retry-any": {"buffering": {"retryExpression": "ResponseCode() > 499 && Attempts() <= 2"}},
    "bu-retry-on": {"buffering": {"retryExpression": "ResponseCode() == 503"}},
    "bu-negative": {"buffering": {"maxRequestBodyBytes": -1}},
    "bu-bad": {"buffering": {"retryExpression": "Attempts() <"}},
    "gw": {"grpcWeb": {"allowOrigins": ["http://a.test"]}},
    "gw-refused": {"grpcWeb": {"allowOrigins": ["http://a.test"]}},
    "gw-any": {"grpcWeb": {"allowOrigins": ["*"]}},
}  # fmt: skip
"""By the name of middleware, router, service and upstream; the host is ``<name>.m.test``."""


_SERVICES = {
    **dict.fromkeys(("err-up", "re-refused", "cb-code", "bu-retry", "gw-refused"), "refused"),
    **dict.fromkeys(("co-refused", "ct-refused"), "refused"),
    **{name: f"m-{name}" for name in ("own", "own-chain", "own-lost", "own-child")},
}


def routers() -> dict[str, dict[str, Any]]:
    """Return a router for every middleware."""
    return {
        f"m-{name}": {
            "rule": f"Host(`{name}.m.test`)",
            "middlewares": [f"m-{name}"],
            "service": _SERVICES.get(name, "api"),
        }
        for name in MIDDLEWARES
    }


def middlewares() -> dict[str, dict[str, Any]]:
    """Return the middlewares under the names that the routers use."""
    return {f"m-{name}": definition for name, definition in MIDDLEWARES.items()}


def services(url: str) -> dict[str, dict[str, Any]]:
    """Return services with middlewares of their own; all have the server ``url``."""
    server = {"loadBalancer": {"servers": [{"url": url}]}}
    child = {"weighted": {"services": [{"name": "m-own", "weight": 1}]}}
    return {
        "m-own": {**server, "middlewares": ["m-own-first", "m-own-second"]},
        "m-own-chain": {**server, "middlewares": ["m-own-chain"]},
        "m-own-lost": {**server, "middlewares": ["nobody"]},
        "m-own-child": {**child, "middlewares": ["m-own-second"]},
    }
