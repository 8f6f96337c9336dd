"""Rules between options: each finding names its option and the remedy."""

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.defaults import with_defaults
from edgerouter.config.static.validate import doubts, findings

WEB = {"address": ":80"}


def configuration(raw: dict[str, object]) -> StaticConfiguration:
    decoded = decode(StaticConfiguration, raw)
    assert decoded.problems == []
    return with_defaults(decoded.value)


def found(raw: dict[str, object]) -> list[tuple[str, str]]:
    return list(findings(configuration(raw)))


def to(target: str, **more: str) -> dict[str, object]:
    redirection = {"to": target, **more}
    return {"address": ":80", "http": {"redirections": {"entryPoint": redirection}}}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"entryPoints": {"web": to("tls"), "tls": {"address": ":443"}}},
        {"entryPoints": {"web": to(":443")}},
        {"entryPoints": {"a": {"address": ":0"}, "b": {"address": ":0"}}},
        {"entryPoints": {"a": {"address": ":53"}, "b": {"address": ":53/udp"}}},
        {"entryPoints": {"a": {**WEB, "forwardedHeaders": {"trustedIPs": "10.1.2.3/8, ::1"}}}},
        {"accessLog": {"filters": {"statusCodes": "200,300-399"}}},
        {"ping": {"entryPoint": "nowhere", "manualRouting": True}},
        {"api": {"basePath": "/admin"}},
    ],
)
def test_right(raw: dict[str, object]) -> None:
    assert found(raw) == []


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        ({"entryPoints": {"a": {}}}, "entryPoints.a.address", "is missing; write [host]:port"),
        ({"entryPoints": {"a": {"address": "80"}}}, "entryPoints.a.address", "has no port"),
        (
            {"entryPoints": {"a": WEB, "b": {"address": ":80/tcp"}}},
            "entryPoints.b.address",
            'also the address of the entry point "a"; give one of them another port',
        ),
        (
            {"entryPoints": {"a": to("tsl"), "tls": {"address": ":443"}}},
            "entryPoints.a.http.redirections.entryPoint.to",
            'no entry point "tsl"; did you mean "tls"? (entry points: a, tls)',
        ),
        (
            {"entryPoints": {"a": to("")}},
            "entryPoints.a.http.redirections.entryPoint.to",
            "is missing",
        ),
        (
            {"entryPoints": {"a": to(":0")}},
            "entryPoints.a.http.redirections.entryPoint.to",
            "is not a port",
        ),
        (
            {"entryPoints": {"a": to(":8²")}},
            "entryPoints.a.http.redirections.entryPoint.to",
            "is not a port",
        ),
        (
            {"entryPoints": {"a": to(":443", scheme="htps")}},
            "entryPoints.a.http.redirections.entryPoint.scheme",
            'expected http or https; got "htps"',
        ),
        (
            {"entryPoints": {"a": {**WEB, "forwardedHeaders": {"trustedIPs": "10.0.0.0/33"}}}},
            "entryPoints.a.forwardedHeaders.trustedIPs",
            '"10.0.0.0/33" is not an IP address or network',
        ),
        (
            {"entryPoints": {"a": {**WEB, "proxyProtocol": {"trustedIPs": "lb"}}}},
            "entryPoints.a.proxyProtocol.trustedIPs",
            '"lb" is not an IP address or network',
        ),
        (
            {"entryPoints": {"web": WEB}, "ping": {"entryPoint": "wbe"}},
            "ping.entryPoint",
            'no entry point "wbe"; did you mean "web"?',
        ),
        ({"api": {"basePath": "x"}}, "api.basePath", 'must start with "/"'),
        ({"api": {"basePath": "/x", "insecure": True}}, "api.basePath", "api.insecure"),
        (
            {"accessLog": {"filters": {"statusCodes": "200,4xx"}}},
            "accessLog.filters.statusCodes",
            '"4xx" is neither a status code nor a range',
        ),
        (
            {"accessLog": {"filters": {"statusCodes": "299-200"}}},
            "accessLog.filters.statusCodes",
            '"299-200"',
        ),
    ],
)
def test_wrong(raw: dict[str, object], path: str, words: str) -> None:
    ((where, message),) = found(raw)
    assert where == path
    assert words in message


LE = {"le": {"acme": {"tlsChallenge": {}}}}


@pytest.mark.parametrize(
    ("own", "path", "words"),
    [
        (
            {"certificatesResolvers": {"lee": {"preflight": "off"}}},
            "edgerouter.certificatesResolvers.lee",
            'has no effect, for there is no certificatesResolvers.lee; did you mean "le"?',
        ),
        (
            {"certificatesResolvers": {"le": {"internal": {}}}},
            "edgerouter.certificatesResolvers.le.internal",
            "has no effect, for there is certificatesResolvers.le",
        ),
        (
            {"certificatesResolvers": {"le": {"dnsAccounts": {"a": {"provider": "exec"}}}}},
            "edgerouter.certificatesResolvers.le.dnsAccounts",
            "has no effect without certificatesResolvers.le.acme.dnsChallenge",
        ),
        (
            {"onDemand": {"hosts": "*.x.org"}},
            "edgerouter.onDemand",
            "has no effect without edgerouter.onDemand.resolver",
        ),
        (
            {"onDemand": {"hosts": "*.x.org", "resolver": "lee"}},
            "edgerouter.onDemand.resolver",
            'there is no certificate resolver "lee"; did you mean "le"?',
        ),
        ({"onDemand": {"resolver": "le"}}, "edgerouter.onDemand", "set hosts or ask"),
        (
            {"certificatesExport": {"command": "/reload"}},
            "edgerouter.certificatesExport.command",
            "has no effect without edgerouter.certificatesExport.directory",
        ),
    ],
)
def test_doubtful(own: dict[str, object], path: str, words: str) -> None:
    raw = configuration({"certificatesResolvers": LE, "edgerouter": own})
    ((where, message),) = doubts(raw)
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"certificatesResolvers": {"le": {"preflight": "off"}, "intern": {"internal": {}}}},
        {"onDemand": {"ask": "http://x/", "resolver": "intern"}}
        | {"certificatesResolvers": {"intern": {"internal": {}}}},
        {"certificatesExport": {"command": "/reload", "directory": "/export"}},
    ],
)
def test_nothing_doubtful(own: dict[str, object]) -> None:
    assert list(doubts(configuration({"certificatesResolvers": LE, "edgerouter": own}))) == []
