"""Services that edgerouter serves better than Traefik: one router each, ``<service>.test``."""

import ssl
from pathlib import Path
from typing import Any

from tests.oracle.config_services import named, servers
from tests.support.authority import Authority
from tests.support.router_process import free_ports

NAMES = ("main", "spare", "secure")
CHECKED = {"path": "/", "interval": "30s", "timeout": "1s"}
QUICK = {**CHECKED, "interval": "1s"}


def failover(service: str, fallback: str = "spare", **options: Any) -> dict[str, Any]:
    return {"failover": {"service": service, "fallback": fallback, **options}}


def weighted(*children: str, **options: Any) -> dict[str, Any]:
    return {"weighted": {"services": named(*children), **options}}


def mirroring(service: str, mirror: str, percent: int = 100, **options: Any) -> dict[str, Any]:
    mirrors = [{"name": mirror, "percent": percent}]
    return {"mirroring": {"service": service, "mirrors": mirrors, **options}}


MINDING = {"healthCheck": {}}
STATUS = {"errors": {"status": ["500-504"]}}
HEALTH = {
    "unchecked": failover("main"),
    "checked": failover("main-checked"),
    "checked-half": failover("main-checked", **MINDING),
    "checked-both": failover("main-checked", "spare-checked", **MINDING),
    "by-status": failover("main", **STATUS),
    "by-status-half": failover("main", **STATUS, **MINDING),
    "passive": failover("passively"),
    "of-ours": failover("api@internal"),
    "to-ours": failover("main-checked", "api@internal", **MINDING),
    "weighted": weighted("main", "spare", **MINDING),
    "weighted-half": weighted("main", "spare-checked", **MINDING),
    "weighted-checked": weighted("main-checked", "spare-checked", **MINDING),
    "weighted-plain": weighted("main-checked", "spare-checked"),
    "weighted-above": weighted("weighted"),
    "weighted-nested": weighted("weighted-plain", **MINDING),
    "over-weighted": failover("weighted-checked"),
    "over-weighted-plain": failover("weighted-plain"),
    "over-failover": failover("checked-both"),
    "over-failover-plain": failover("checked"),
    "hrw": {"highestRandomWeight": {"services": named("main", "spare"), **MINDING}},
    "mirrored": mirroring("main", "spare", **MINDING),
    "mirrored-checked": mirroring("main-checked", "spare", **MINDING),
    "mirrored-plain": mirroring("main-checked", "spare"),
    "over-mirrored": failover("mirrored"),
    "over-mirrored-checked": failover("mirrored-checked"),
    "over-mirrored-plain": failover("mirrored-plain"),
}
MISSING = {
    "missing": failover("nobody"),
    "missing-fallback": failover("main-checked", "nobody"),
    "missing-broken": failover("broken"),
    "missing-weighted": weighted("main", "nobody"),
    "missing-weightless": {
        "weighted": {"services": [*named("main"), *named("nobody", weights=(0,))]}
    },
    "missing-hrw": {"highestRandomWeight": {"services": named("main", "nobody")}},
    "missing-mirror": mirroring("main", "nobody"),
    "missing-mirror-unasked": mirroring("main", "nobody", 0),
    "missing-mirror-broken": mirroring("main", "broken"),
    "mirror-of-itself": mirroring("main", "mirror-of-itself"),
}
COOKIES: dict[str, dict[str, str]] = {
    "same-site": {"sameSite": "foo"},
    "same-site-known": {"sameSite": "Lax"},
    "path": {"path": "/a;b"},
    "path-bytes": {"path": '/aé\nb c"d'},
    "path-relative": {"path": "a"},
    "domain": {"domain": "a b"},
    "domain-dot": {"domain": ".a.test"},
    "domain-dots": {"domain": "a..test"},
    "domain-address": {"domain": "1.2.3.4"},
    "domain-number": {"domain": "1.2"},
    "domain-ipv6": {"domain": "::1"},
    "domain-dash": {"domain": "-a.test"},
    "domain-underscore": {"domain": "a_b.test"},
    "domain-unicode": {"domain": "é.test"},
    "name": {"name": "a b"},
}
TRANSPORTS = ("half-trusting", "no-certificate", "no-certificate-wrong", "no-certificate-blind")
USELESS = ("distrusting", "distrusting-garbage", "version", "version-over", "suite")
"""By these nobody is reached: the first two trust nobody; of the others Traefik forgets all
options, also which servers are trusted."""


class Setting:
    """The servers, and the configuration for them."""

    def __init__(self, directory: Path) -> None:
        self._authority = Authority(directory)
        gone = {"certFile": str(directory / "gone"), "keyFile": str(directory / "gone")}
        trusting = {"rootCAs": [str(self._authority.certificate)]}
        wrong = {**trusting, "serverName": "wrong.test"}
        self._transports: dict[str, dict[str, Any]] = {
            "half-trusting": {"rootCAs": [gone["certFile"], *trusting["rootCAs"]]},
            "no-certificate": {**trusting, "certificates": [gone]},
            "no-certificate-wrong": {**wrong, "certificates": [gone]},
            "no-certificate-blind": {"insecureSkipVerify": True, "certificates": [gone]},
            "distrusting": {"rootCAs": [gone["certFile"]]},
            "distrusting-garbage": {
                "rootCAs": ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
            },
            "version": {**trusting, "minVersion": "foo", "maxVersion": "VersionTLS13"},
            "version-over": {
                **trusting,
                "minVersion": "VersionTLS13",
                "maxVersion": "VersionTLS12",
            },
            "suite": {**trusting, "cipherSuites": ["foo"]},
        }

    def secure(self) -> ssl.SSLContext:
        pair = self._authority.issue("secure.test", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    def dynamic(self, ports: dict[str, int], recorder: int) -> dict[str, Any]:
        """Return the dynamic configuration for echo servers on ``ports``."""
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        (closed,) = free_ports(1)
        down = f"http://127.0.0.1:{closed}"
        secure = urls["secure"].replace("http:", "https:")
        services = {
            "main": servers(urls["main"]),
            "spare": servers(urls["spare"]),
            "main-checked": servers(urls["main"], healthCheck=CHECKED),
            "spare-checked": servers(urls["spare"], healthCheck=CHECKED),
            "passively": servers(
                urls["main"],
                passiveHealthCheck={"failureWindow": "10s", "maxFailedAttempts": 1},
            ),
            "closed": servers(down, healthCheck=CHECKED),
            "sick": servers(down, healthCheck=QUICK),
            "refused": failover("closed"),
            "failing": servers(
                down, passiveHealthCheck={"failureWindow": "60s", "maxFailedAttempts": 1}
            ),
            "empty": servers(healthCheck=CHECKED),
            "over-empty": failover("empty"),
            "recorder": servers(f"http://127.0.0.1:{recorder}"),
            "bare": mirroring("main", "recorder", mirrorBody=False),
            "broken": servers("::broken"),
            "half-broken": servers(urls["main"], "::broken"),
            "p2c": {
                "loadBalancer": {
                    "servers": [
                        {"url": urls["main"], "weight": 0},
                        {"url": urls["spare"], "weight": 50},
                    ],
                    "strategy": "p2c",
                }
            },
            **HEALTH,
            **MISSING,
            **{
                f"cookie-{name}": servers(urls["main"], sticky={"cookie": {"name": "c", **options}})
                for name, options in COOKIES.items()
            },
            "cookie-of-services": weighted(
                "main", sticky={"cookie": {"name": "c", "path": "/a;b", "domain": "a b"}}
            ),
            **{f"by-{name}": servers(secure, serversTransport=name) for name in self._transports},
            "plainly": servers(urls["main"], serversTransport="version"),
        }
        routers = {name: {"rule": f"Host(`{name}.test`)", "service": name} for name in services}
        transports = self._transports
        return {"http": {"routers": routers, "services": services, "serversTransports": transports}}
