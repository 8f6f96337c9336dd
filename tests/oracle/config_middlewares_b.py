# ruff: noqa: E501 (one middleware per line reads as a table)
"""Middlewares that rewrite, answer, compress, repeat: each has a host of its own name."""

from typing import Any

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
}  # fmt: skip
"""By the name of middleware, router, service and upstream; the host is ``<name>.m.test``."""


def routers() -> dict[str, dict[str, Any]]:
    """Return a router for every middleware."""
    return {
        f"m-{name}": {
            "rule": f"Host(`{name}.m.test`)",
            "middlewares": [f"m-{name}"],
            "service": "api",
        }
        for name in MIDDLEWARES
    }


def middlewares() -> dict[str, dict[str, Any]]:
    """Return the middlewares under the names that the routers use."""
    return {f"m-{name}": definition for name, definition in MIDDLEWARES.items()}
