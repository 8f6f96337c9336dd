"""Services for the cases about services: one router per service, host ``<service>.test``."""

import ssl
from pathlib import Path
from typing import Any

from tests.support.authority import Authority
from tests.support.router_process import free_ports

ECHO = ("a", "b", "c", "d", "e", "f", "main", "spare", "sick", "secure", "mutual", "stranger")


class Setting:
    """Certificates, and the configuration made of them."""

    def __init__(self, directory: Path) -> None:
        self._authority = Authority(directory)
        self._stranger = Authority(directory, "Stranger")
        self._client = self._authority.issue("client.test")

    def contexts(self) -> dict[str, ssl.SSLContext]:
        """Return how the upstreams that speak TLS do so."""
        own = self._authority.issue("secure.test", "127.0.0.1", uris=("spiffe://test/secure",))
        foreign = self._stranger.issue("secure.test", "127.0.0.1")
        contexts = {}
        for name, pair in (("secure", own), ("mutual", own), ("stranger", foreign)):
            contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            contexts[name].load_cert_chain(pair.certificate, pair.key)
        contexts["mutual"].verify_mode = ssl.CERT_REQUIRED
        contexts["mutual"].load_verify_locations(self._authority.certificate)
        return contexts

    def dynamic(self, ports: dict[str, int], recorder: int) -> dict[str, Any]:
        """Return the dynamic configuration for echo servers on ``ports``."""
        (closed,) = free_ports(1)
        plain = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        secure = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
        six = [{"url": plain[name]} for name in "abcdef"]
        checked = {"path": "/", "interval": "100ms", "timeout": "1s"}
        refused = f"http://127.0.0.1:{closed}"
        services = {
            "main": servers(plain["main"]),
            "spare": servers(plain["spare"]),
            "closed": servers(refused, healthCheck=checked),
            "main-checked": servers(plain["main"], healthCheck=checked),
            "spare-checked": servers(plain["spare"], healthCheck=checked),
            "nothing": servers(),
            "sick": servers(
                plain["sick"],
                passiveHealthCheck={"failureWindow": "60s", "maxFailedAttempts": 2},
            ),
            "recorder": servers(f"http://127.0.0.1:{recorder}"),
            "hrw": {"loadBalancer": {"servers": six, "strategy": "hrw"}},
            "hrw-weighted": {
                "loadBalancer": {
                    "servers": [
                        {**server, "weight": weight} for weight, server in enumerate(six, start=0)
                    ],
                    "strategy": "hrw",
                }
            },
            "p2c": {"loadBalancer": {"servers": six, "strategy": "p2c"}},
            "leasttime": {"loadBalancer": {"servers": six[:2], "strategy": "leasttime"}},
            **composed(plain),
            "secure": servers(secure["secure"], serversTransport="trusting"),
            "secure-named": servers(secure["secure"], serversTransport="named"),
            "secure-misnamed": servers(secure["secure"], serversTransport="misnamed"),
            "secure-blind": servers(secure["stranger"], serversTransport="blind"),
            "secure-uri": servers(secure["secure"], serversTransport="uri"),
            "secure-other-uri": servers(secure["secure"], serversTransport="other-uri"),
            "secure-old": servers(secure["secure"], serversTransport="old"),
            "untrusted": servers(secure["stranger"], serversTransport="trusting"),
            "untrusted-default": servers(secure["secure"]),
            "mutual": servers(secure["mutual"], serversTransport="mutual"),
        }
        authority = str(self._authority.certificate)
        trusting = {"rootCAs": [authority]}
        pair = {
            "certFile": str(self._client.certificate),
            "keyFile": self._client.key.read_text(),
        }
        transports = {
            "trusting": trusting,
            "named": {
                "rootCAs": [self._authority.certificate.read_text()],
                "serverName": "secure.test",
            },
            "misnamed": {**trusting, "serverName": "other.test"},
            "blind": {"insecureSkipVerify": True},
            "uri": {**trusting, "peerCertURI": "spiffe://test/secure"},
            "other-uri": {**trusting, "peerCertURI": "spiffe://test/other"},
            "old": {**trusting, "maxVersion": "VersionTLS12", "disableHTTP2": True},
            "mutual": {**trusting, "certificates": [pair]},
        }
        routers = {name: {"rule": f"Host(`{name}.test`)", "service": name} for name in services}
        return {
            "http": {
                "routers": routers,
                "services": services,
                "serversTransports": transports,
                "middlewares": {"marked": {"addPrefix": {"prefix": "/marked"}}},
            }
        }


def servers(*urls: str, **options: Any) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url} for url in urls], **options}}


def named(*names: str, weights: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        {"name": name} | ({"weight": weights[number]} if weights else {})
        for number, name in enumerate(names)
    ]


def composed(plain: dict[str, str]) -> dict[str, Any]:
    """Return the services that are made of services."""
    cookie = {"cookie": {"name": "level"}}
    return {
        "three-to-one": {"weighted": {"services": named("main", "spare", weights=(3, 1))}},
        "stays": {"weighted": {"services": named("main", "spare"), "sticky": cookie}},
        "stays-below": servers(plain["a"], plain["b"], sticky={"cookie": {"name": "below"}}),
        "stays-twice": {"weighted": {"services": named("stays-below", "main"), "sticky": cookie}},
        "minds": {"weighted": {"services": named("closed", "spare-checked"), "healthCheck": {}}},
        "random-weight": {
            "highestRandomWeight": {"services": named("main", "spare", weights=(1, 2))}
        },
        "marked-main": {**servers(plain["main"]), "middlewares": ["marked"]},
        "nested": {"weighted": {"services": named("three-to-one", "marked-main")}},
        "fails-over": {"failover": {"service": "closed", "fallback": "spare"}},
        "stays-up": {"failover": {"service": "main-checked", "fallback": "spare"}},
        "fails-twice": {"failover": {"service": "closed", "fallback": "closed", "healthCheck": {}}},
        "fails-on-status": {
            "failover": {
                "service": "main",
                "fallback": "spare",
                "errors": {"status": ["500-504"], "maxRequestBodyBytes": 10},
            }
        },
        "mirrored": {
            "mirroring": {"service": "main", "mirrors": [{"name": "recorder", "percent": 50}]}
        },
        "mirrored-short": {
            "mirroring": {
                "service": "main",
                "maxBodySize": 5,
                "mirrors": [{"name": "recorder", "percent": 100}],
            }
        },
        "mirrored-bare": {
            "mirroring": {
                "service": "main",
                "mirrorBody": False,
                "mirrors": [{"name": "recorder", "percent": 100}],
            }
        },
    }
