"""What both routers are configured with: entry points, routers, services, middlewares.

Every router has a service and an upstream of its own name unless it says
otherwise, so that the answer tells which router was taken.
"""

from typing import Any

from tests.oracle import (
    config_layers,
    config_middlewares_a,
    config_middlewares_b,
    config_middlewares_c,
)
from tests.oracle.config_rules import RULES
from tests.support.router_process import free_ports

ENTRYPOINTS: dict[str, dict[str, str]] = {
    "web": {},
    "trust": {"forwardedHeaders.insecure": "true"},
    "cidr": {"forwardedHeaders.trustedIPs": "10.0.0.0/8,127.0.0.1"},
    "foreign": {"forwardedHeaders.trustedIPs": "10.0.0.0/8"},
    "noappend": {
        "forwardedHeaders.insecure": "true",
        "forwardedHeaders.notAppendXForwardedFor": "true",
    },
    "conn": {"forwardedHeaders.connection": "X-Kept,X-Forwarded-Proto"},
    "deny": {
        f"http.encodedCharacters.allowEncoded{name}": "false"
        for name in (
            "Slash",
            "BackSlash",
            "NullCharacter",
            "Semicolon",
            "Percent",
            "QuestionMark",
            "Hash",
        )
    },
    "dirty": {"http.sanitizePath": "false"},
    "semi": {"http.encodeQuerySemicolons": "true"},
    "udelete": {"http.underscoreHeadersStrategy": "delete"},
    "ureject": {"http.underscoreHeadersStrategy": "reject"},
    "akeep": {"http.aliasHeadersStrategy": "keep"},
    "adelete": {"http.aliasHeadersStrategy": "delete"},
    "areject": {"http.aliasHeadersStrategy": "reject"},
    "small": {"http.maxHeaderBytes": "1000"},
    "redirect": {
        "http.redirections.entryPoint.to": "web",
        "http.redirections.entryPoint.scheme": "http",
    },
    "temporary": {
        "http.redirections.entryPoint.to": ":8443",
        "http.redirections.entryPoint.permanent": "false",
    },
    "lowredirect": {
        "http.redirections.entryPoint.to": "web",
        "http.redirections.entryPoint.priority": "10",
    },
    "slow": {"transport.respondingTimeouts.readTimeout": "400ms"},
    "short": {"transport.keepAliveMaxRequests": "2"},
    "prefixed": {"http.middlewares": "added@file"},
    "any": {},
    "proxied": {"proxyProtocol.trustedIPs": "127.0.0.1"},
    "unproxied": {"proxyProtocol.trustedIPs": "10.0.0.0/8"},
}


def flags() -> dict[str, str]:
    """Return the static flags of all entry points."""
    return {
        f"entrypoints.{name}.{option}": value
        for name, options in ENTRYPOINTS.items()
        for option, value in options.items()
    }


def loadbalancer(*urls: str, **options: Any) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url} for url in urls], **options}}


ROUTERS: dict[str, dict[str, Any]] = {
    **RULES,
    "api": {"rule": "Host(`a.test`)"},
    "catch-all": {"rule": "Host(`*`)", "entryPoints": ["any"]},
    "stripped": {"rule": "Host(`strip.test`)", "middlewares": ["strip"]},
    "based": {"rule": "Host(`based.test`)"},
    "preserved": {"rule": "Host(`preserved.test`)"},
    "preserved-slash": {"rule": "Host(`preserved-slash.test`)"},
    "preserved-odd": {"rule": "Host(`preserved-odd.test`)"},
    "preserved-escapes": {"rule": "Host(`preserved-escapes.test`)"},
    "preserved-bad": {"rule": "Host(`preserved-bad.test`)"},
    "broken-url": {"rule": "Host(`broken-url.test`)"},
    "nohost": {"rule": "Host(`nohost.test`)"},
    "nohost-user": {"rule": "Host(`nohost-user.test`)"},
    "refused": {"rule": "Host(`refused.test`)"},
    "empty": {"rule": "Host(`empty.test`)"},
    "hurried": {"rule": "Host(`hurried.test`)"},
    "weighted": {"rule": "Host(`weighted.test`)"},
    "sticky": {"rule": "Host(`sticky.test`)"},
    "sticky-named": {"rule": "Host(`sticky-named.test`)"},
    "sticky-strict": {"rule": "Host(`sticky-strict.test`)"},
    "sticky-expired": {"rule": "Host(`sticky-expired.test`)"},
    "redirected": {"rule": "Host(`redirected.test`)", "middlewares": ["to-https"]},
    "moved": {"rule": "Host(`moved.test`)", "middlewares": ["to-https-for-ever"]},
    "matched": {"rule": "Host(`matched.test`)", "middlewares": ["rewrite"]},
    "doubled": {"rule": "Host(`doubled.test`)", "middlewares": ["strip", "added"]},
    "lost-middleware": {"rule": "Host(`lost-m.test`)", "middlewares": ["nobody"]},
    "lost-service": {"rule": "Host(`lost-s.test`)", "service": "nobody"},
    "lost-entrypoint": {"rule": "Host(`lost-e.test`)", "entryPoints": ["nowhere"]},
    "half-lost-entrypoint": {"rule": "Host(`half.test`)", "entryPoints": ["nowhere", "web"]},
    "greedy": {"rule": "Host(`greedy.test`)", "priority": 9223372036854775807},
    "qualified": {"rule": "Host(`qualified.test`)", "service": "api@file"},
    "foreign-service": {"rule": "Host(`fs.test`)", "service": "api@docker"},
    "noop": {"rule": "Host(`noop.test`)", "service": "noop@internal"},
    "secure-only": {"rule": "Host(`tls.test`)", "tls": {}},
    **config_middlewares_a.routers(),
    **config_middlewares_b.routers(),
    **config_middlewares_c.routers(),
    **config_layers.ROUTERS,
}

MIDDLEWARES: dict[str, Any] = {
    "strip": {"stripPrefix": {"prefixes": ["/strip", "/deep/er"]}},
    "added": {"addPrefix": {"prefix": "/added"}},
    "to-https": {"redirectScheme": {"scheme": "https", "port": "8443"}},
    "to-https-for-ever": {"redirectScheme": {"scheme": "https", "permanent": True}},
    "rewrite": {
        "redirectRegex": {"regex": "^http://[^/]+/(.*)", "replacement": "http://x.test/$1"}
    },
    **config_middlewares_b.middlewares(),
    **config_middlewares_c.middlewares(),
    **config_layers.MIDDLEWARES,
}


def upstreams() -> list[str]:
    """Return the names of the upstreams: one per router that does not name a service."""
    return [name for name, router in ROUTERS.items() if "service" not in router]


def dynamic(ports: dict[str, int]) -> dict[str, Any]:
    """Return the dynamic configuration for upstreams on ``ports``."""
    (closed,) = free_ports(1)
    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    services: dict[str, Any] = {name: loadbalancer(url[name]) for name in upstreams()}
    services |= {
        "based": loadbalancer(url["based"] + "/base?x=y"),
        "preserved": _preserved(url["preserved"] + "/base"),
        "preserved-slash": _preserved(url["preserved-slash"] + "/base/"),
        "preserved-odd": _preserved(url["preserved-odd"] + '//a b/\xe9/"<>^`{|}[]!\\%2F//'),
        "preserved-escapes": _preserved(url["preserved-escapes"] + "/a%2Fb;c=d%e9[](!)"),
        "preserved-bad": _preserved(url["preserved-bad"] + "/a%zz"),
        "broken-url": _preserved(url["broken-url"] + "/a\r\nX-Injected: 1"),
        "nohost": loadbalancer(url["nohost"], passHostHeader=False),
        "nohost-user": loadbalancer(
            url["nohost-user"].replace("//", "//user:pass%40word@"), passHostHeader=False
        ),
        "refused": loadbalancer(f"http://127.0.0.1:{closed}"),
        "empty": loadbalancer(),
        "hurried": loadbalancer(url["hurried"], serversTransport="hurried"),
        "weighted": {
            "loadBalancer": {
                "servers": [
                    {"url": url["weighted"], "weight": 3},
                    {"url": url["api"]},
                    {"url": url["based"], "weight": 0},
                ]
            }
        },
        "sticky": loadbalancer(url["sticky"], sticky={"cookie": {}}),
        "sticky-named": loadbalancer(
            url["sticky-named"], sticky={"cookie": {"name": "lb", "secure": True, "path": "/x"}}
        ),
        "sticky-strict": loadbalancer(
            url["sticky-strict"],
            sticky={
                "cookie": {
                    "name": "lb",
                    "httpOnly": True,
                    "sameSite": "strict",
                    "maxAge": 60,
                    "domain": "test",
                }
            },
        ),
        "sticky-expired": loadbalancer(
            url["sticky-expired"],
            sticky={"cookie": {"name": "lb", "maxAge": -1, "sameSite": "none"}},
        ),
    }
    services |= config_middlewares_b.services(url["api"])
    routers = {name: {"service": name, **router} for name, router in ROUTERS.items()}
    transports = {"hurried": {"forwardingTimeouts": {"responseHeaderTimeout": "300ms"}}}
    return {
        "http": {
            "routers": routers,
            "services": services,
            "middlewares": {
                **MIDDLEWARES,
                **config_middlewares_a.middlewares(url["based"], f"http://127.0.0.1:{closed}"),
            },
            "serversTransports": transports,
        }
    }


def _preserved(url: str) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url, "preservePath": True}]}}
