# ruff: noqa: E501 (one middleware per line reads as a table)
"""Middlewares that the comparison with ``edgerouter.compat=traefik`` alone has, each with a host."""

from typing import Any

_PAGES = {"service": "based", "query": "/p"}
_ALONE = {**_PAGES, "errorRequestHeaders": ["X-None"]}
"""Pages that do not learn what the server was to answer."""

BAD_PATHS = ("/a%zz", "abc", "a b", "*", "http://x/y")
BAD_SCHEMES = ("ht tp", "1http", ":", "https:", "ht\r\ntp", "HTTPS")
BAD_PORTS = ("abc", "0", "99999", "-1", "0443", " 443", "1\r\nX: y")
BAD_ADDRESSES = (
    "nonsense",
    "ftp://127.0.0.1/",
    "http://",
    "",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:80/%zz",
    "http://a b/",
    "http://x:abc/",
    "http://x/\x01",
)

MIDDLEWARES: dict[str, dict[str, Any]] = {
    "switched": {"headers": {"customResponseHeaders": {"X-Resp": "2"}}},
    "switched-secured": {"headers": {"frameDeny": True, "accessControlAllowOriginList": ["*"]}},
    "page-none": {"errors": {"status": ["204", "304"], **_ALONE}},
    "page-made-none": {"errors": {"status": ["500"], "statusRewrites": {"500": 204}, **_ALONE}},
    "page-echo": {"errors": {"status": ["500"], "statusRewrites": {"500": 204}, **_PAGES}},
    "page-down": {"errors": {"status": ["500"], "statusRewrites": {"500": 304}, "service": "refused", "query": "/p"}},
    "page-circle": {"errors": {"status": ["500"], "service": "c-circle", "query": "/p"}},
    "page-round": {"errors": {"status": ["500"], "service": "c-above", "query": "/p"}},
    "page-of-circle": {"errors": {"status": ["500"], "service": "c-circle", "query": "/p"}},
    "co-down": {"compress": {"minResponseBodyBytes": 1}},
    "co-gone": {"compress": {"minResponseBodyBytes": 20}},
    "co-large": {"compress": {}},
    "ct-down": {"contentType": {}},
    "ct-gone": {"contentType": {}},
    "gw-down": {"grpcWeb": {"allowOrigins": ["http://a.test"]}},
    "gw-gone": {"grpcWeb": {"allowOrigins": ["http://a.test"]}},
    **{f"path-{number}": {"replacePath": {"path": path}} for number, path in enumerate(BAD_PATHS)},
    **{f"scheme-{number}": {"redirectScheme": {"scheme": scheme}} for number, scheme in enumerate(BAD_SCHEMES)},
    **{f"port-{number}": {"redirectScheme": {"scheme": "https", "port": port}} for number, port in enumerate(BAD_PORTS)},
    **{f"address-{number}": {"forwardAuth": {"address": address}} for number, address in enumerate(BAD_ADDRESSES)},
    "realm": {"basicAuth": {"users": ["a:b"], "realm": 'a "b" \\c'}},
}  # fmt: skip

_SERVICES = {
    **dict.fromkeys(("co-down", "co-large", "ct-down", "gw-down"), "refused"),
    **dict.fromkeys(("co-gone", "ct-gone", "gw-gone"), "empty"),
}


def added(configuration: dict[str, Any], url: str) -> dict[str, Any]:
    """Return ``configuration`` with these; services with middlewares have the server ``url``."""
    http = configuration["http"]
    servers = {"loadBalancer": {"servers": [{"url": url}]}}
    routers: dict[str, Any] = {
        f"c-{name}": {
            "rule": f"Host(`{name}.c.test`)",
            "middlewares": [f"c-{name}"],
            "service": _SERVICES.get(name, "api"),
        }
        for name in MIDDLEWARES
    }
    routers["c-circle"] = {"rule": "Host(`circle.c.test`)", "service": "c-circle"}
    routers["c-twice"] = {
        "rule": "Host(`twice.c.test`)",
        "middlewares": ["m-re", "c-co-down", "c-ct-down"],
        "service": "refused",
    }
    routers["c-within"] = {**routers["c-twice"], "rule": "Host(`within.c.test`)", "service": "api"}
    services = {
        "c-circle": {**servers, "middlewares": ["c-page-circle"]},
        "c-above": {"weighted": {"services": [{"name": "c-below", "weight": 1}]}},
        "c-below": {**servers, "middlewares": ["c-page-round"]},
    }
    middlewares = {f"c-{name}": definition for name, definition in MIDDLEWARES.items()}
    return {
        **configuration,
        "http": {
            **http,
            "routers": {**http["routers"], **routers},
            "services": {**http["services"], **services},
            "middlewares": {**http["middlewares"], **middlewares},
        },
    }
